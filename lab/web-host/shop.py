"""Pages of a shop: best-sellers of a category from Redis or else PostgreSQL, baskets and purchases of the service orders.

A file `shop-errors` in the working folder makes it raise.
"""

import json
import os

import psycopg2.pool
import redis
import requests
from flask import Flask

KEPT_S = 30
ORDERS = "http://127.0.0.1:8301"
BEST = """select product, sum(quantity) as sold from lines join stock using (product)
          where category = %s group by product order by sold desc limit 20"""

app = Flask(__name__)
cache = redis.Redis(host="127.0.0.1", port=6390, socket_timeout=2)
orders = requests.Session()
orders.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=8))
pool = None


def rows(statement, *values):
    global pool
    if pool is None:
        pool = psycopg2.pool.ThreadedConnectionPool(
            1, 8, host="127.0.0.1", port=6432, user="shop", dbname="shop", sslmode="disable"
        )
    connection = pool.getconn()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()
    finally:
        pool.putconn(connection)


def ask_orders(method, path):
    answer = orders.request(method, ORDERS + path, timeout=5)
    return app.response_class(answer.content, status=answer.status_code, mimetype="application/json")


@app.before_request
def fail():
    if os.path.exists("shop-errors"):
        raise KeyError("discount")


@app.get("/shop/category/<int:category>")
def best_sellers(category):
    key = f"category:{category}"
    body = cache.get(key)
    if not body:
        body = json.dumps([[product, int(sold)] for product, sold in rows(BEST, category)])
        cache.setex(key, KEPT_S, body)
    return app.response_class(body, mimetype="application/json")


@app.get("/shop/order/<int:order>")
def order(order):
    return ask_orders("GET", f"/orders/{order}")


@app.post("/shop/buy/<int:product>")
def buy(product):
    return ask_orders("POST", f"/buy/{product}")
