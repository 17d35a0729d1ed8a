#!/usr/bin/python3
"""The intranet's application: shows the messages in the database. Listens on 127.0.0.1:8000, behind nginx."""

import html
import os
from collections.abc import Callable
from wsgiref.simple_server import make_server

import psycopg2


def application(_environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
    """One page, read afresh for every request."""
    try:
        with psycopg2.connect(os.environ["DATABASE"], connect_timeout=3) as connection, connection.cursor() as cursor:
            cursor.execute("select tekst from bericht order by id desc limit 20")
            lines = "".join(f"<li>{html.escape(text)}</li>" for (text,) in cursor.fetchall())
        status, body = "200 OK", f"<ul>{lines}</ul>"
    except psycopg2.Error:
        status, body = "503 Service Unavailable", "<p>De databank antwoordt niet.</p>"
    page = f"<!DOCTYPE html><html lang=nl><title>Intranet School</title><h1>Berichten</h1>{body}</html>"
    start_response(status, [("Content-Type", "text/html; charset=utf-8")])
    return [page.encode()]


with make_server("127.0.0.1", 8000, application) as server:
    server.serve_forever()
