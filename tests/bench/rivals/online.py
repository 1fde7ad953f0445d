"""Online learners of single rows: Vowpal Wabbit and River, predict and then learn each row, one thread.

One JSON line a measurement, {"name", "by", "micros"}: CPU time of a row, the least of several rounds. A row has a
user, an item, its category and a context value; both learn weights of these and of pairs (user, item) in 16
dimensions where it is said. Text for VW is made before the clock runs.
"""

import json
import random
import time

import vowpalwabbit
from river import facto, linear_model, optim

NAME = "learn a row online"
ROWS = 2000
draw = random.Random(0)
rows = [
    (f"u{draw.randrange(500)}", f"i{draw.randrange(2000)}", f"c{draw.randrange(20)}", f"h{draw.randrange(24)}", draw.random() < 0.1)
    for _ in range(ROWS)
]


def tell(by, run, seconds=4.0):
    run()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    print(json.dumps({"name": NAME, "by": by, "micros": best / ROWS * 1e6}), flush=True)


lines = [f"{1 if y else -1} |u {u} |i {i} |c {c} |h {h}" for u, i, c, h, y in rows]


def wabbit(by, flags):
    model = vowpalwabbit.Workspace(f"--quiet --loss_function logistic --link logistic {flags}")

    def run():
        for line in lines:
            model.predict(line)
            model.learn(line)

    tell(by, run)


features = [({u: 1.0, i: 1.0, c: 1.0, h: 1.0}, y) for u, i, c, h, y in rows]


def river(by, model):
    def run():
        for x, y in features:
            model.predict_proba_one(x)
            model.learn_one(x, y)

    tell(by, run)


wabbit("VW, linear", "")
wabbit("VW, --lrq ui16", "--lrq ui16")
river("River, linear, Adagrad", linear_model.LogisticRegression(optim.AdaGrad(0.1)))
river(
    "River, FM, 16",
    facto.FMClassifier(n_factors=16, weight_optimizer=optim.AdaGrad(0.1), latent_optimizer=optim.AdaGrad(0.1), seed=0),
)
