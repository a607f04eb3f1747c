# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Which half of the face flipped the answer?
#
# Tracked features are said to be the features that made the network err. Are they? On photographs
# nobody can know. Here every image can be rendered again with one cause changed: the expression of
# one half of the face, one part put at rest, gaze, lamps, camera, hair or skin. If changing one
# half flips the answer and changing the other does not, the half that flips it was the cause. Which
# methods of explanation point to it?

# %% tags=["parameters"]
profile = "quick"
faces = "synthetic"
seed = 0
networks = "auto"

# %%
import numpy as np
from IPython.display import Markdown, display
from matplotlib.ticker import PercentFormatter

from tinyvgg.chapters import causes, sanity, style
from tinyvgg.chapters.statistics import mean_interval, trial_records
from tinyvgg.chapters.verdicts import record_numbers
from tinyvgg.training.experiments import open_study

study = open_study(profile, faces, seed, progress=False, networks=networks)
records = trial_records(profile, study.faces.fingerprint)
rows = records.get("causes", {"networks": []})["networks"]
rows = rows if len(rows) > 1 else []
how = f"`tinyvgg trial causes --profile {profile} --faces {study.source}` does it."
None if rows else Markdown(f"Not recorded here. {how}")

# %%
if rows:
    scored = {
        question: {name: causes.over(rows, question, name) for name in rows[0][question]}
        for question in causes.QUESTIONS
    }
    order = sorted(scored["half"], key=lambda name: -scored["half"][name].centre)

    def said(question, *names):
        """Print the mean scores of some methods."""
        found = [f"*{name}* ({scored[question][name].centre:.2f})" for name in names]
        return " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))

    changed = [{k: np.array(x.split(), int) for k, x in row["flips"].items()} for row in rows]
    flips = {cause: [each[cause].mean() for each in changed] for cause in changed[0]}
    upper, lower = (np.concatenate([each[k] for each in changed]) for k in ("upper", "lower"))
    wrong = np.concatenate([np.arange(row["images"]) < row["errors"] for row in rows])
    one = upper != lower
    keys = {"literal": "Algorithm 1", "cutoff": "published cutoff", "whole": "whole projection"}
    keys |= {"gradient": "gradient", "unique": "unique"}
    means = {f"a2.emotion.half_{k}": scored["half"][name].centre for k, name in keys.items()}
    record_numbers({"a2.emotion.rendered_again": len(one), **means})
    part, pixel = (
        max(causes.METHODS, key=lambda name: scored[question][name].centre)
        for question in ("part", "pixel")
    )
    edges, low = scored["half"]["edges"].centre, scored["half"]["published cutoff"].interval()[0]
    beside = "clearly better than" if low > edges else "not clearly better than"
    fits = scored["part"][part].centre > 0.5
    how = "is found best by" if fits else "no method finds well; the best is"
    beaten = scored["pixel"][causes.MEAN_MASK].centre < scored["pixel"][pixel].centre
    answer = f"""**What came out.** The methods that find best which half flipped the answer are
{said("half", *order[:2])} (in brackets: AUC; 0.5 is chance). {(one & wrong).sum():,} of the {one.sum():,} images
asked about are errors, the others right answers. The paper's tracked features, {said("half", "Algorithm 1", "published cutoff")},
are {beside} the edges of the image ({edges:.2f}). The deconvolution of all cells, which makes no
choice, reaches {scored["half"]["whole projection"].centre:.2f}.

- Which pixels changed is found best by {said("pixel", pixel)}. The {said("pixel", causes.MEAN_MASK)},
which never sees the image, does {"worse" if beaten else "better still"}.
- Which part of the face matters most {how} {said("part", part)}, in rank correlation: 1 would be
perfect, 0 is chance."""
    display(Markdown("> " + answer.replace("\n", "\n> ")))

# %% [markdown]
# ## What flips an answer
#
# The networks are those for emotion. Each error is set against its true class. The same number of
# right images is set against the class with the second largest logit. Then one half of the face
# gets the expression of that class, as the same subject makes it. Or a part is put at rest, the
# eyes look elsewhere, lamps and camera move, hair and skin become those of another subject.


# %% mystnb={"figure": {"name": "fig-flips", "caption": "Share of the images whose answer changes when one cause of the image is changed, all else being equal: mean over networks with its 95 % interval, and each network as a small dot. Upper and lower: that half of the face shows another expression. Brows, eyes, nose and cheeks, mouth: that part is at rest."}, "image": {"alt": "A row of small dots for each cause, sorted by the mean, which is a large dot with its interval."}}
def flips_figure(flips):
    names = sorted(flips, key=lambda name: -np.mean(flips[name]))
    figure, axes = style.grid(1, 1, cell=style.WIDTH * 0.7, aspect=0.55)
    axis = axes[0, 0]
    for place, name in enumerate(names):
        shares = np.array(flips[name])
        low, high = mean_interval(shares)
        axis.plot(shares, np.full(len(shares), place), ".", color=style.GRAY)
        if low == low:
            axis.hlines(place, low, high, color=style.BLUE)
        axis.plot(shares.mean(), place, "o", color=style.BLUE)
    axis.set_yticks(range(len(names)), names)
    axis.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, None), xlabel="answers that change")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    return figure


flips_figure(flips) if rows else None

# %%
if rows:
    shares = [each[of].mean() for each in (lower, upper) for of in (wrong, ~wrong)]
    said_flips = """The lower half flips {:.0%} of the errors and {:.0%} of the right answers, the upper
half {:.0%} and {:.0%}.""".format(*shares)
    said_flips += f""" In {one.sum():,} of {len(one):,} images exactly one of the halves flips the
answer, so the cause is known: the lower one in {(one & (lower > 0)).sum():,}, the upper one in
{(one & (upper > 0)).sum():,}. {(one & wrong).sum():,} of these images are errors."""
    display(Markdown(said_flips))

# %% [markdown]
# ## Three questions
#
# Each method draws a map of every image, and each map answers three questions:
#
# - **Which half?** Over the images in which exactly one half flips the answer: does the share of
#   the map on the upper half tell which one it was (AUC)?
# - **Which part?** Putting a part at rest (brows, eyes, nose and cheeks, mouth) lowers the answer's
#   logit by more or less. Does more of the map lie on parts that lower it more (rank correlation)?
#   {cite:t}`hesse2023` ask this of rendered birds.
# - **Which pixels?** Is the map stronger on the pixels that change with the half that flips the
#   answer (AUC)? The baseline is the *mean mask*, the average of the pixels that changed in other
#   subjects at the same angle. It sees nothing of the image itself.
#
# Some methods draw the tracked features of *cells*, the elements of the last feature maps (the
# paper's pixels):
#
# - *Algorithm 1*, the *published cutoff* and *unique* choose cells as the paper does;
# - *largest activations* takes the same number of cells as the cutoff;
# - *contributions* and *contrastive* take the cells with the largest exact share in the answer, or
#   in its margin;
# - *patched* takes those where the look-alike's values would move the margin most;
# - *whole projection* takes all cells.


# %% mystnb={"figure": {"name": "fig-causes", "caption": "How well each method answers the three questions, sorted by the first one: mean over networks with its 95 % interval, which accounts for subjects and networks. Dotted: chance. Dashed: the mean mask of other images. Orange methods were shown a right image of the other class."}, "image": {"alt": "Three panels, one a question, with a dot and an interval for each method. Most intervals of which half lie to the right of chance; for which pixels, the line of the mean mask lies to the right of all methods."}}
def scores_figure(scored):
    names = order
    figure, axes = style.grid(1, 3, cell=style.WIDTH / 3, aspect=1.75, sharey=True)
    for axis, (question, title) in zip(axes[0], causes.QUESTIONS.items(), strict=True):
        axis.axvline(0 if question == "part" else 0.5, color=style.GRAY, lw=0.8, ls=":")
        if causes.MEAN_MASK in scored[question]:
            axis.axvline(scored[question][causes.MEAN_MASK].centre, color="black", lw=0.8, ls="--")
        for place, name in enumerate(names):
            found = scored[question][name]
            colour = style.ORANGE if name in causes.LOOKALIKE else style.BLUE
            axis.hlines(place, *found.interval(), color=colour)
            axis.plot(found.centre, place, "o", color=colour, ms=4)
        axis.set(title=title, ylim=(len(names) - 0.5, -0.5))
        axis.set_xlabel("rank correlation" if question == "part" else "AUC")
    axes[0, 0].set_yticks(range(len(names)), names)
    return figure


scores_figure(scored) if rows else None

# %% tags=["hide-output"]
if rows:
    blind = sanity.blind(records["sanity"]) if "sanity" in records else {}
    table = causes.table(rows).fillna("").loc[[*order, causes.MEAN_MASK]]
    found = {name: blind.get(causes.CHECKED.get(name, "")) for name in table.index}
    table["blind to"] = [
        "" if each is None else " and ".join(each) or "neither" for each in found.values()
    ]
    display(table.reset_index())

# %%
if rows and (unseeing := [name for name in order if "class" in (found[name] or ())]):
    before = "These methods explain the same whatever class one asks about (AUC for the half): "
    after = "A high score alone does not show that a method explains *this* answer."
    display(Markdown(f"{before}{said('half', *unseeing)}. {after}"))

# %% [markdown]
# A method is *blind to* the head (the dense layers) if it explains the same without the learned ones,
# and blind to the class if it explains the same when asked about another class
# ({doc}`18_sanity_checks`, which checks the methods that have an entry in the table). For Algorithm
# 1 and contributions the cells were checked, not the features.
#
# ## A method of your own
#
# Any function of a model, images and answers can be asked the same questions:
#
# ```python
# def mine(model, images, answers):
#     images.requires_grad_()
#     model(images).gather(1, answers[:, None]).sum().backward()
#     return images.grad.abs().mean(1)
# ```
#
# ```sh
# tinyvgg audit mymodule:mine
# ```
#
# ## What may be concluded, and what may not
#
# - A half that flips the answer is a cause in the strict sense: nothing else in the image changed.
# - A map that lies on the correct half need not have found the cause. How much of a map lies on the
#   upper half also varies with the expression itself. Edges and the random map show how far that
#   alone goes.
# - Networks, faces and changes are those of this book. On photographs the ranking may differ.
