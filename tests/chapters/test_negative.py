"""What did not work, on small runs and against slow references."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tinyvgg.chapters import negative
from tinyvgg.contribution import contributions
from tinyvgg.network import dense_forward, head
from tinyvgg.repairs import repair
from tinyvgg.trace import record


@pytest.fixture(scope="module")
def trace(run):
    return negative.all_images(run)


@pytest.fixture(scope="module")
def labels(run):
    return torch.from_numpy(run.labels)


def test_the_trace_of_all_images_is_what_the_dense_layers_need(run, trace):
    whole = record(run.model, run.tensor(run.split.test))
    torch.testing.assert_close(trace.maps, whole.maps)
    torch.testing.assert_close(trace[[0, 3]].logits, whole.logits[[0, 3]])


def test_cells_against_the_runner_up_are_suppressed_one_after_the_other(trace, labels):
    found = negative.contrast(trace, labels)
    order = trace.logits.argsort(1, descending=True)
    shares = contributions(trace, order[:, 0], against=order[:, 1]).flatten(1)
    for place, count in enumerate(negative.COUNTS):
        answers = []
        for maps, share in zip(trace.maps, shares.tolist(), strict=True):
            bare, ranked = (
                maps.clone().flatten(),
                sorted(range(len(share)), key=lambda c: -share[c]),
            )
            bare[[cell for cell in ranked[:count] if share[cell] > 0]] = 0
            answers.append(head(trace.network, bare.reshape(maps[None].shape)).argmax())
        right, before = torch.tensor(answers) == labels, order[:, 0] == labels
        assert found["repaired"][place] == pytest.approx(right[~before].double().mean().item())
        assert found["harmed"][place] == pytest.approx((~right)[before].double().mean().item())
    assert found["second"] == [(order[~before, 1] == labels[~before]).double().mean().item()]
    values, errors = trace.logits.sort(1, descending=True).values, int((~before).sum())
    least = (values[:, 0] - values[:, 1]).argsort()[:errors]
    right = [order[least, 1] == labels[least], before[least]]
    assert found["doubtful"] == [int(each.sum()) for each in right]


def test_an_auc_counts_pairs_of_an_error_and_a_right_answer(trace, labels):
    found, (values, order) = negative.detected(trace, labels), trace.logits.topk(2, 1)
    sizes = repair(trace, order[:, 1], budget=0).size
    error = order[:, 0] != labels
    for place, scores in enumerate((sizes, values[:, 0] - values[:, 1])):
        pairs = [*product(scores[error].tolist(), scores[~error].tolist())]
        lower = [(wrong < right) + 0.5 * (wrong == right) for wrong, right in pairs]
        assert found["auc"][place] == pytest.approx(np.mean(lower))
    assert found["flips"] == [np.median(sizes[error]), np.median(sizes[~error])]


@pytest.mark.parametrize("group", [1, 4])
def test_what_goes_is_the_group_of_the_steepest_that_lowers_the_loss_most(trace, labels, group):
    gone = negative.harmful(trace, labels, group, 3)
    before = torch.zeros_like(gone[0])
    for after in gone:
        maps = trace.maps.masked_fill(before.reshape(trace.maps[0].shape), 0).requires_grad_()
        loss = cross_entropy(dense_forward(trace.network, maps)[1], labels)
        (slope,) = torch.autograd.grad(loss, maps)
        gain = (maps * slope).sum(0).reshape(-1, group).sum(1)
        losses = {}
        for place in gain.argsort(descending=True)[: negative.TRIED].tolist():
            cells = before.clone()
            cells[place * group : (place + 1) * group] = True
            bare = trace.maps.masked_fill(cells.reshape(trace.maps[0].shape), 0)
            losses[float(cross_entropy(head(trace.network, bare), labels))] = cells
        assert torch.equal(after, losses[min(losses)])
        before = after


def test_errors_are_counted_where_cells_were_chosen_and_where_not(run, trace, labels):
    who = run.faces.index.table["subject"].to_numpy()[run.split.test]
    half, found = torch.from_numpy(np.isin(who, (1, 3))), negative.attempts(run)
    shape = trace.maps.shape[1:]
    assert found["errors"] == int((trace.predicted != labels).sum())
    for name, group in (("cells", 1), ("maps", shape[1] * shape[2])):
        expected = {"chosen": 0, "other": 0}
        for own in (half, ~half):
            last = negative.harmful(trace[own], labels[own], group, negative.STEPS[name])[-1]
            after = head(trace.network, trace.maps.masked_fill(last.reshape(shape), 0)).argmax(1)
            expected["chosen"] += int((after != labels)[own].sum())
            expected["other"] += int((after != labels)[~own].sum())
        for where, count in expected.items():
            counts = found[f"{name}_{where}"]
            assert (counts[0], counts[-1]) == (found["errors"], count)
