"""Figure 4 of the paper. Model parallelism against a pipeline at one node's memory.

python experiments/fig4_parallelism.py [FOLDER OF THE PICTURE]
"""

from discosim.paper.script import main

if __name__ == "__main__":
    main("fig4")
