"""Figure 2 of the paper. Communication and computation of ResNet-50, layer by layer.

python experiments/fig2_layers.py [FOLDER OF THE PICTURE]
"""

from discosim.paper.script import main

if __name__ == "__main__":
    main("fig2")
