"""Table V: ESRGAN, 23 RRDB blocks, four times the size, on DIV2K."""

from discosim.paper.tables import Cut, Table, enter_table

CUTS = {
    ("dense-then-split", "1"): Cut(first="rrdb.18", but=("tail",)),
    ("dense-then-split", "2"): Cut(first="rrdb.12", but=("tail",)),
    ("dense-then-split", "3"): Cut(first="rrdb.6", but=("tail",)),
    ("split-then-aggregate", "1"): Cut(first="rrdb.0", last="rrdb.5"),
    ("split-then-aggregate", "2"): Cut(first="rrdb.0", last="rrdb.11"),
    ("split-then-aggregate", "3"): Cut(first="rrdb.0", last="rrdb.17"),
}

TABLE = Table(
    task="super-resolution",
    model="esrgan",
    cuts=CUTS,
    conventions=(
        "64 features, growth 32; the shares do not depend on the resolution.",
        "Cuts after block 6 / 12 / 18 of 23: dense-then-split splits the last 5 / 11 / 17 "
        "blocks, split-then-aggregate the first 6 / 12 / 18.",
        "Head and tail (trunk, two up-convolutions, two last ones) stay dense in both families; "
        "the input of an up-convolution counts after the interpolation.",
    ),
)

SECTION = enter_table(TABLE)
