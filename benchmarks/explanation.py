"""The speed of the explanations, beside the plain loops of the algorithm and beside Captum.

Prints tables of medians. The network is Tiny VGG at the paper's size (224 x 224, 25,088 pixels,
dense layers of 1024, 512 and 256), trained for two epochs on the synthetic faces of the `quick`
profile, enlarged; 278 of its test images stand for the paper's errors. It is trained once and
kept in build/benchmarks.

    python benchmarks/explanation.py [--cases 278] [--batch 32] [--rounds 5] [--device cuda]
"""

import argparse
import resource
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop, LayerGradientXActivation, NeuronDeconvolution
from safetensors.torch import load_file, save_file
from timing import matmul_rate, medians, memory_rate, seconds, table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from tinyvgg import files as paths
from tinyvgg.backtracking import Contribution, Cutoff, Literal, Rule, backtrack, published
from tinyvgg.contribution import contributions
from tinyvgg.faces.index import Faces
from tinyvgg.faces.splits import Split
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import suppress, track_features
from tinyvgg.training.batches import Resident, Scaling
from tinyvgg.training.experiments import open_study
from tinyvgg.training.loop import train
from tinyvgg.training.settings import Recipe
from tinyvgg.training.tiny_vgg import TinyVGG
from tinyvgg.training.watching import ProgressBar

sys.path.append(str(Path(__file__).parents[1]))
from tests.helpers import loops, small

SIZE = 224
EPOCHS = 2
RULES: dict[str, Rule] = {
    "literal rule": Literal(),
    "cutoff": Cutoff(),
    "published code": published(),
    "contribution": Contribution(),
}


def enlarge(pixels: Tensor) -> Tensor:
    """Enlarge 8-bit images to the paper's size."""
    large = F.interpolate(pixels.permute(0, 3, 1, 2).float(), SIZE, mode="bilinear")
    return large.round().byte().permute(0, 2, 3, 1)


def untrained(faces: Faces) -> TinyVGG:
    """Return the network with its initial weights."""
    torch.manual_seed(0)
    return TinyVGG(len(faces.index.classes("subject")), SIZE)


def fit(kept: Path) -> None:
    """Train the network, in a process of its own: training changes how memory is allocated."""
    study = open_study("quick")
    part, net = study.split("subject"), untrained(study.faces)
    labels = torch.from_numpy(study.faces.index.labels("subject"))
    source = Resident(enlarge(study.faces.pixels()), labels, Scaling())
    parts, bar = Split(part.train, part.test[:120]), ProgressBar(f"training at {SIZE} pixels")
    train(net, source, parts, Recipe(epochs=EPOCHS), 0, kept.parent, watchers=[bar])
    weights = {name: each.contiguous() for name, each in net.state_dict().items()}
    paths.write_whole(kept, lambda to: save_file(weights, to))


def network_and_images(cases: int) -> tuple[TinyVGG, Tensor]:
    """Return the network and as many test images, repeating the test part where needed."""
    study = open_study("quick")
    kept = paths.build() / "benchmarks" / f"tiny-vgg-{SIZE}-{EPOCHS}" / "weights.safetensors"
    if not kept.exists():
        process = get_context("spawn").Process(target=fit, args=(kept,))
        process.start()
        process.join()
    net = untrained(study.faces)
    net.load_state_dict(load_file(kept))
    rows = np.resize(study.split("subject").test, cases)
    return net.eval(), Scaling()(enlarge(study.faces.pixels(rows))).contiguous()


def slow(rule: Rule, trace: Trace) -> list[set[int]]:
    """Run the plain loops on the first image of a trace."""
    activations, weights = small.as_lists(trace[0])
    k = int(trace.predicted[0])
    if isinstance(rule, Cutoff):
        options = (rule.percentile, rule.floor, rule.first_of_equals)
        return loops.cutoff(activations, weights, k, *options)
    return loops.literal(activations, weights, k)


def products(traces: list[Trace]) -> int:
    """Count the edges between active pixels and kept neurons of the first dense layer."""
    return sum(
        int(((t.maps > 0).flatten(1).sum(1) * backtrack(t).neurons[0].sum(1)).sum()) for t in traces
    )


def backtracking(traces: list[Trace], rounds: int, device: str) -> str:
    """Time all cases by each rule, beside the loops on one image."""
    cases = sum(map(len, traces))
    edges = products(traces)
    pixels, neurons = traces[0].maps[0].numel(), traces[0].dense[0].shape[1]
    flop, rate, bandwidth = 2 * cases * pixels * neurons, matmul_rate(device), memory_rate(device)
    rows = []
    for name, rule in RULES.items():
        (ours,) = medians(
            lambda rule=rule: [backtrack(t, rule=rule) for t in traces], rounds=rounds
        )
        beside, ratio = "", ""
        if name in ("literal rule", "cutoff"):
            theirs = seconds(lambda rule=rule: slow(rule, traces[0]))
            beside, ratio = f"{theirs * cases:,.0f} s", f"{theirs * cases / ours:,.0f}"
        share = f"{flop / ours / rate:.0%} of the matrix products' rate"
        if isinstance(rule, Cutoff):
            share = f"{4 * edges / ours / bandwidth:.0%} of the memory's rate"
        rows.append([name, f"{ours:.3f} s", beside, ratio, share])
    header = ["rule", f"{cases} cases", "plain loops, from one case", "ratio", "share of the limit"]
    return (
        f"{table(header, rows)}\n\nTo be moved: {edges / 1e9:.2f} 10^9 products for the cutoff "
        f"({4 * edges / 1e9:.1f} GB), {flop / 1e9:.1f} GFLOP for the literal rule's widest layer; "
        f"the machine: {rate / 1e9:.0f} GFLOP/s in matrix products, {bandwidth / 1e9:.0f} GB/s."
    )


def explain(net: nn.Module, images: Tensor, rule: Rule) -> Tensor:
    """Record, backtrack and track: a forward pass and two deconvolutions."""
    trace = record(net, images)
    return track_features(trace, backtrack(trace, rule=rule).pixels)


def tracking(net: nn.Module, images: Tensor, rounds: int, device: str) -> str:
    """Time tracked features, the same features by Captum, and guided backpropagation."""
    trace = record(net, images)
    rule = Cutoff(floor=0.0)
    left = suppress(trace.maps, backtrack(trace, rule=rule).pixels)
    last = [layer for layer in net.features if isinstance(layer, nn.MaxPool2d)][-1]
    captums, guided = NeuronDeconvolution(net, last), GuidedBackprop(net)
    inputs = images.clone().requires_grad_()

    def theirs() -> Tensor:
        whole = captums.attribute(inputs, lambda m: (m * m.detach()).flatten(1).sum(1))
        rest = captums.attribute(inputs, lambda m: (m * left).flatten(1).sum(1))
        return (whole - rest).abs().detach()

    mine, other = track_features(trace, left == 0), theirs()
    apart = (mine - other).abs().sum() / other.sum()
    assert apart < 0.02, f"the tracked features are {apart:.1%} apart from Captum's"
    ours, captum, guide = medians(
        lambda: explain(net, images, Literal()),
        theirs,
        lambda: guided.attribute(inputs, target=0),
        rounds=rounds,
    )
    with FlopCounterMode(display=False) as counter:
        net.features(images[:1])
    per_pass, rate = counter.get_total_flops(), matmul_rate(device)
    rows = [
        [name, f"{len(images) / time:.1f}", f"{time / ours:.2f}", f"{flop / 1e9:.1f}", share]
        for name, time, flop in (
            ("record + backtrack + track", ours, 3 * per_pass),
            ("Captum, the same features", captum, 4 * per_pass),
            ("Captum, GuidedBackprop", guide, 2 * per_pass),
        )
        for share in [f"{flop * len(images) / time / rate:.0%}"]
    ]
    header = ["what", "images/s", "ours is faster by", "GFLOP an image", "of the matmul rate"]
    return (
        f"{table(header, rows)}\n\nA convolution may exceed the rate of matrix products.\n"
        f"Both give the same features but for {apart:.2%} of their sum, where maxima are tied but"
        " for rounding."
    )


def residual(images: Tensor, rounds: int) -> str:
    """Time the contributions of ResNet-18's last maps, and the same by Captum."""
    net = resnet18(num_classes=10).eval().to(images.device)
    captum = LayerGradientXActivation(net, net.layer4)
    ours, theirs = medians(
        lambda: contributions(record(net, images), 0),
        lambda: captum.attribute(images, 0),
        rounds=rounds,
    )
    return f"ResNet-18, contributions: {ours / theirs:.2f} times Captum's LayerGradientXActivation."


def growth(net: nn.Module, images: Tensor, batch: int) -> str:
    """Measure the growth of time and memory with the number of cases."""
    rows = []
    explain(net, images[:batch], Literal())
    for cases in (1, 10, 100, len(images)):
        parts = images[:cases].split(batch)
        taken = seconds(lambda parts=parts: [explain(net, part, Cutoff()) for part in parts])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append([f"{cases:,}", f"{taken:.2f} s", f"{1e3 * taken / cases:.1f}", f"{peak:.2f}"])
    header = ["cases", "record + backtrack (cutoff) + track", "ms a case", "peak memory, GB"]
    return table(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=278)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")
    net, images = network_and_images(1000)
    net, images = net.to(args.device), images.to(args.device)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {args.device}\n")
    print(growth(net, images, args.batch), "\n")
    traces = [record(net, part) for part in images[: args.cases].split(args.batch)]
    print(backtracking(traces, args.rounds, args.device), "\n")
    print(tracking(net, images[: args.batch], args.rounds, args.device), "\n")
    print(residual(images[: args.batch], args.rounds))


if __name__ == "__main__":
    main()
