"""Table IV of the paper: the rows, what they cost, and accuracy against latency.

python experiments/tab4_deeplabv3plus.py [FOLDER OF THE PICTURE]
"""

from discosim.paper.script import main

if __name__ == "__main__":
    main("tab4")
