"""Routes, templates, JSON, sessions and blueprints, asked by its own test client."""

from flask import Blueprint, Flask, jsonify, render_template_string, request, session

app = Flask(__name__)
app.secret_key = "not a secret"
shop = Blueprint("shop", __name__, url_prefix="/shop")


@app.get("/<name>")
def hello(name: str) -> str:
    session["name"] = name
    return render_template_string("Hello {{ name }}!", name=name)


@app.post("/json")
def json():
    return jsonify(sum=sum(request.get_json()), last=session.get("name"))


@shop.get("/")
def index() -> dict:
    return {"items": 3}


app.register_blueprint(shop)
client = app.test_client()
assert client.get("/<b>").text == "Hello &lt;b&gt;!"
assert client.post("/json", json=[1, 2, 3]).json == {"sum": 6, "last": "<b>"}
assert client.get("/shop/").json == {"items": 3}
assert client.get("/no/where").status_code == 404
