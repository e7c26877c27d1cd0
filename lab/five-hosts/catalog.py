"""Items from PostgreSQL, cached in Redis for two seconds. A file `slow` in the working folder makes its copy compute longer."""

import json
import os
import time

import psycopg2.pool
import redis
from flask import Flask

LIST = "select id, name, price, words from items where tag = %s order by price limit 60"

app = Flask(__name__)
cache = redis.Redis(host="redis.shop", port=6379, socket_timeout=2)
pool = None


def rows(statement, *values):
    global pool
    if pool is None:
        pool = psycopg2.pool.ThreadedConnectionPool(
            2, 8, host="postgres.shop", port=5432, user="postgres", dbname="shop", sslmode="disable", connect_timeout=5
        )
    connection = pool.getconn()
    broken = True
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            found = cursor.fetchall()
        broken = False
        return found
    finally:
        pool.putconn(connection, close=broken)


def answer(body):
    if os.path.exists("slow"):
        end = time.thread_time() + 0.03
        while time.thread_time() < end:
            pass
    return app.response_class(body, mimetype="application/json")


@app.get("/catalog/item/<int:item>")
def item(item):
    key = f"item:{item}"
    body = cache.get(key)
    if not body:
        found = rows("select id, name, price from items where id = %s", item)
        body = json.dumps(found)
        cache.setex(key, 2, body)
    return answer(body)


@app.get("/catalog/list/<int:tag>")
def listed(tag):
    return answer(json.dumps(rows(LIST, f"t{tag}")))


@app.post("/catalog/item/<int:item>")
def sold(item):
    return answer(json.dumps(rows("update items set sold = sold + 1 where id = %s returning sold", item)))
