"""Routes with validation and dependencies, asked over ASGI; the OpenAPI description."""

import asyncio
import json

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="shop")


class Order(BaseModel):
    item: str
    count: int = 1


def user(token: str = "none") -> str:
    return token


@app.get("/items/{number}")
async def read(number: int, q: str | None = None) -> dict:
    return {"number": number, "q": q}


@app.post("/orders", status_code=201)
def order(order: Order, name: str = Depends(user)) -> dict:
    if order.count > 10:
        raise HTTPException(409, "too many")
    return {"order": order, "user": name}


async def ask(method: str, path: str, query: str = "", body: bytes = b"") -> tuple[int, dict]:
    sent = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
        "headers": [(b"host", b"x"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1), "server": ("x", 80),
    }  # fmt: skip

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(m.get("body", b"") for m in sent[1:]))


async def main() -> None:
    assert await ask("GET", "/items/7", "q=x") == (200, {"number": 7, "q": "x"})
    assert (await ask("GET", "/items/seven"))[0] == 422
    status, answer = await ask("POST", "/orders", "token=me", b'{"item": "pen"}')
    assert (status, answer["user"], answer["order"]["count"]) == (201, "me", 1)
    assert (await ask("POST", "/orders", body=b'{"item": "pen", "count": 11}'))[0] == 409
    status, description = await ask("GET", "/openapi.json")
    assert status == 200 and "/orders" in description["paths"]


asyncio.run(main())
