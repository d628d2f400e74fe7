"""Table III of the paper: the rows, what they cost, and accuracy against latency.

python experiments/tab3_ssd300.py [FOLDER OF THE PICTURE]
"""

from discosim.paper.script import main

if __name__ == "__main__":
    main("tab3")
