"""Gradients without backward formulas: complex steps, and central differences to check them.

A function that is analytic between its kinks has f(x + ih) = f(x) + ih f'(x) - O(h^2): with h = 1e-30 the imaginary
part is the derivative to the last bit. All functions here take complex numbers and branch on the real part.
"""
import numpy as np

KINK = 3e-4  # no branch may be decided by less, so that float32 takes the same one


class Kink(Exception):
    """An example that lies too near to a kink."""


def apart(distance):
    if np.size(distance) and np.min(np.abs(np.real(distance))) < KINK:
        raise Kink


_stopped, _replay = [], None


def stop(x):
    """A constant to the gradient. Central differences see the values of the unmoved point."""
    if _replay is not None:
        return next(_replay)
    _stopped.append(np.real(x).copy())
    return _stopped[-1]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    positive = np.real(x) > 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


def softmax(x, valid=None):
    """Over the last axis, over valid places alone; all zeros where none is valid."""
    valid = np.ones(x.shape, bool) if valid is None else np.broadcast_to(valid, x.shape)
    top = np.max(np.where(valid, np.real(x), -np.inf), -1, keepdims=True, initial=-1e9)
    e = np.where(valid, np.exp(np.where(valid, x - top, 0)), 0)
    total = np.sum(e, -1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def prelu(x, alpha):
    apart(x)
    return np.where(np.real(x) > 0, x, alpha * x)


def leaves(tree, path=()):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, path + (name,))
        else:
            yield path + (name,), value


def replaced(tree, path, value):
    name, *rest = path
    return {**tree, name: replaced(tree[name], rest, value) if rest else value}


def gradients(loss, tree):
    """The gradient of loss(tree), a scalar, for every array of a tree."""
    global _replay
    result = {}
    _stopped.clear()
    loss(tree)
    constants = list(_stopped)
    for path, array in leaves(tree):
        grad = np.zeros(array.shape)
        for at in np.ndindex(array.shape):
            def moved(by):
                x = array.astype(complex if isinstance(by, complex) else float)
                x[at] += by
                return loss(replaced(tree, path, x))
            grad[at] = np.imag(moved(1e-30j)) / 1e-30
            values = []
            for by in (1e-5, -1e-5):
                _replay = iter(constants)
                values.append(moved(by))
                _replay = None
            central = (values[0] - values[1]) / 2e-5
            assert abs(central - grad[at]) < 1e-7 * max(1, abs(central)), (path, at, central, grad[at])
        node = result
        for name in path[:-1]:
            node = node.setdefault(name, {})
        node[path[-1]] = grad
    return result
