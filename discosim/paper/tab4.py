"""Table IV: DeepLabV3+ with ResNet-101 on PASCAL VOC 2012, crop 513, output stride 16."""

from discosim.paper.tables import Cut, Table, enter_table

DENSE = ("classifier",)

CUTS = {
    ("dense-then-split", "1"): Cut(first="layer4", but=DENSE),
    ("dense-then-split", "2"): Cut(first="layer3", but=DENSE),
    ("dense-then-split", "3"): Cut(first="layer2", but=DENSE),
    ("split-then-aggregate", "1"): Cut(last="layer2", stem=True),
    ("split-then-aggregate", "2"): Cut(last="layer3", stem=True),
    ("split-then-aggregate", "3"): Cut(last="layer4", stem=True),
}

TABLE = Table(
    task="semantic segmentation",
    model="deeplabv3plus-resnet101",
    cuts=CUTS,
    conventions=(
        "ResNet-101 v1.5, atrous pyramid, 48 low-level features, one 3x3 of 304 to 256, a 1x1 "
        "to 21 classes.",
        "dense-then-split: dense before layer4 / layer3 / layer2; the last 1x1 stays dense too.",
        "split-then-aggregate: split up to the end of layer2 / layer3 / layer4, one stage later "
        "than in the other tables.",
        "Two treatments of the stem: dense in dense-then-split, counted as split in "
        "split-then-aggregate. It reads the image and exchanges nothing either way.",
    ),
    beside={
        "dense-then-split": "the stem counts as dense, and so does the last 1x1",
        "split-then-aggregate": "the stem counts as split, unlike in dense-then-split",
    },
)

SECTION = enter_table(TABLE)
