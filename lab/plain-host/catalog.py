"""Items from PostgreSQL, cached in Redis for two seconds. While a file `leak` is there each request keeps a MiB."""

import json
import os

import psycopg2.pool
import redis
from flask import Flask, jsonify, request

app = Flask(__name__)
cache = redis.Redis(host="127.0.0.1", port=6379, socket_timeout=2)
held = []
pool = None


def rows(statement, *values):
    global pool
    if pool is None:
        pool = psycopg2.pool.ThreadedConnectionPool(
            4, 8, host="127.0.0.1", port=5432, user="postgres", dbname="shop", sslmode="disable"
        )
    connection = pool.getconn()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            found = cursor.fetchall()
        connection.commit()
        return found
    finally:
        pool.putconn(connection)


@app.get("/api/items/<int:item>")
def get_item(item):
    if os.path.exists("leak"):
        held.append(os.urandom(1 << 20))
    key = f"item:{item}"
    body = cache.get(key)
    if not body:
        found = rows("select id, name, price from items where id = %s", item)
        body = json.dumps(dict(zip(("id", "name", "price"), found[0])) if found else {})
        cache.setex(key, 2, body)
    return app.response_class(body, mimetype="application/json")


@app.get("/api/search")
def search():
    return jsonify(rows("select id, name from items where tag = %s limit 20", request.args.get("tag", "t1")))
