"""Table I: ResNet-50 on ImageNet, 224 pixels, v1.5, 54 layers."""

from discosim.paper.tables import Cut, Table, enter_table

CUTS = {
    ("dense-then-split", "1"): Cut(first="layer4"),
    ("dense-then-split", "2"): Cut(first="layer3"),
    ("dense-then-split", "3"): Cut(first="layer2"),
    ("split-then-aggregate", "1"): Cut(last="layer1"),
    ("split-then-aggregate", "2"): Cut(last="layer2"),
    ("split-then-aggregate", "3"): Cut(last="layer3"),
}

TABLE = Table(
    task="image classification",
    model="resnet50",
    cuts=CUTS,
    conventions=(
        "49 convolutions, 4 of the skip links and the classifier; a tensor read by two layers "
        "is sent once to each.",
        "dense-then-split: dense before layer4 / layer3 / layer2, split from there on.",
        "split-then-aggregate: split up to the end of layer1 / layer2 / layer3, then dense.",
        "The stem counts in both averages and stays dense, in both families.",
    ),
)

SECTION = enter_table(TABLE)
