"""Tasks called at once and over a broker in memory, retries, chains."""

from celery import Celery, chain

app = Celery("shop", broker="memory://", backend="cache+memory://")


@app.task(bind=True, max_retries=2)
def add(self, a: int, b: int) -> int:
    if self.request.retries < 1 and a < 0:
        raise self.retry(countdown=0)
    return a + b


app.conf.task_always_eager = True
assert add.delay(1, 2).get() == 3
assert chain(add.s(1, 2), add.s(4))().get() == 7
assert add.apply(args=(-1, 2)).get() == 1
app.conf.task_always_eager = False
sent = add.apply_async((5, 6))
with app.connection_for_read() as connection:
    message = connection.SimpleQueue("celery").get(timeout=60)
    assert message.headers["id"] == sent.id
    message.ack()
