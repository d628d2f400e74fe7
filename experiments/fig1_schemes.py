"""Figure 1 of the paper. Five schemes of distributed inference, drawn from their plans.

python experiments/fig1_schemes.py [FOLDER OF THE PICTURE]
"""

from discosim.paper.script import main

if __name__ == "__main__":
    main("fig1")
