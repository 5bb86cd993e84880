"""A bump that settles, stays, and turns: the ring attractor."""

import uuid

import numpy as np
from docs.figures.drawing import Drawn, Progress, caption, framed, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient, Ring
from hopfield_client.plot._style import BLUE, GREY, ORANGE, VERMILION

N = 64
SEED = 3
TIMES = (0.0, 0.02, 0.05, 0.1, 1.0)
GAMMAS = (-0.2, 0.01, 0.063, 0.2, 0.5)
TURN = 0.5


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Rates at some times of a recall, a heading that is turned, and the speed beside what theory says."""
    name = f"figure-{uuid.uuid4().hex}"
    ring = client.create_memory(name, model=Ring(neurons=N))
    try:
        figure = new_figure(10, 3.2)
        settling, turning = figure.subplots(1, 2)
        headings = 360 * np.arange(N) / N
        rates = np.random.default_rng(SEED).uniform(1, 20, N)
        for k, time in enumerate(TIMES):
            shown = ring.recall(rates, max_time=time).rates if time else rates
            colour = VERMILION if k == len(TIMES) - 1 else BLUE
            settling.plot(headings, shown, color=colour, alpha=0.25 + 0.75 * k / (len(TIMES) - 1), label=f"{time:g} s")
        framed(settling, "Random rates settle to a bump", "preferred heading of the neuron (degrees)", "rate (Hz)")
        settling.legend(fontsize=8, frameon=False)

        moments, followed, meant = [0.0], [90.0], [90.0]
        with ring.track(start=90) as track:
            for speed in (0, 180, -60, 360, 0):
                for _ in range(20):
                    track.turn(speed, 0.05)
                    moments.append(moments[-1] + 0.05)
                    meant.append(meant[-1] + speed * 0.05)
                    followed.append(track.heading)
        followed = np.unwrap(followed, period=360).tolist()
        turning.plot(moments, meant, color=GREY, linewidth=4, alpha=0.4, label="integral of the angular velocity")
        turning.plot(moments, followed, color=ORANGE, label="heading of the bump")
        framed(turning, "Angular velocities turn it", "time (s)", "heading (degrees)")
        turning.legend(fontsize=8, frameon=False)

        rows = []
        for done, gamma in enumerate(GAMMAS):
            speed = -np.degrees(gamma / 0.01)
            with ring.track(start=0) as track:
                begun = track.turn(speed, 0.1)
                turned, step = 0.0, 0.01
                for _ in range(round(TURN / step)):
                    ended = track.turn(speed, step)
                    turned += (ended - begun + 180) % 360 - 180
                    begun = ended
            rows.append((f"{gamma:g}", f"{speed:.4f}", f"{turned / TURN:.4f}", f"{abs(turned / TURN / speed - 1):.1e}"))
            progress(done + 1, len(GAMMAS))
    finally:
        client.delete_memory(name)
    caption(figure, f"$N$ = {N}, $\\tau$ = 10 ms, $K$ = 8; rates at random from 1 to 20 Hz, seed {SEED}.")
    header = ("gamma", "-gamma / tau (degrees/s)", f"measured in {TURN:g} s", "off by")
    return Drawn(figure, table(header, rows))
