"""Fit the shipped profiles to the table of measurements, and write them anew.

    python experiments/fit_profiles.py [PROFILE ...]

Without names all of them. A board whose rows are set aside (`ASIDE`) is fitted beside all others
and changes none of them. Links, capacities and costs stay as they are in the files; descriptions of
new ones are below.
"""

import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from discosim.errors import UnknownNameError
from discosim.evidence import names
from discosim.evidence.fitting import Fit, Target, shipped_fits
from discosim.evidence.profiles import fitted_profile, kinds_like
from discosim.hardware import load_profile
from discosim.hardware.schema import Document
from discosim.hardware.toml import to_toml

FOLDER = Path(__file__).parents[1] / "hardware_profiles"
TODAY = datetime.date(2026, 11, 26)
"""When the table was last fitted, as it stands in every file and in tests/test_evidence.py."""


@dataclass(frozen=True)
class Board:
    """A device under an engine: the files that have its numbers, the first one's link by default.

    base: the profile whose link, capacity and cost a new file has; link_alone: not these two;
    capacity: of memory, and whose word it is.
    """

    device: str
    engine: str
    threads: int | None
    clock: str
    files: tuple[str, ...]
    base: str = ""
    description: str = ""
    link_alone: bool = False
    capacity: tuple[str, str] | None = None


H7A3, F746 = "NUCLEO-H7A3ZI-Q Cortex-M7 280MHz", "DISCO-F746NG Cortex-M7 216MHz"
H7A3_RAM = ("1.4MB", "its RAM, ST's product title; weights may lie in 2 MB of flash")
F746_RAM = ("320KB", "SRAM, ST's data sheet of the STM32F746; weights may lie in 1 MB of flash")
NO_LINK = "with the link of an STM32H743 board, which it does not have"
PI4, PI5 = "Raspberry Pi 4B", "Raspberry Pi 5"
NANO, ORIN, SUPER = "Jetson Nano 4GB", "Jetson Orin Nano 8GB", "Jetson Orin Nano 8GB Super"
LINKS = ("ethernet100", "gigabit", "wifi")

BOARDS = (
    Board(PI4, "ncnn", 4, "1.8 GHz", tuple(f"rpi4-{link}" for link in LINKS)),
    Board(PI4, "ncnn", 1, "1.8 GHz", ("rpi4-ncnn-1thread",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; ncnn on one core"),
    Board(PI4, "TFLite", 4, "1.5 to 1.8 GHz", ("rpi4-tflite",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; TFLite (XNNPACK) on four cores"),
    Board(PI4, "XNNPACK", 4, "1.5 to 1.8 GHz", ("rpi4-xnnpack",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; XNNPACK's own benchmark on four cores"),
    Board(PI4, "XNNPACK 32 bit", 4, "1.5 to 1.8 GHz", ("rpi4-xnnpack-32bit",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; XNNPACK under a 32-bit system on four cores"),
    Board(PI4, "PyTorch qnnpack", 4, "1.5 GHz", ("rpi4-pytorch-int8",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; PyTorch int8 (QNNPACK) on four cores"),
    Board(PI5, "ncnn", 4, "2.4 GHz", tuple(f"rpi5-{link}" for link in LINKS)),
    Board(PI5, "ncnn", 1, "2.4 GHz", ("rpi5-ncnn-1thread",), "rpi5-gigabit",
          "Raspberry Pi 5 on a gigabit switch; ncnn on one core"),
    Board(PI5, "TFLite", 4, "2.4 GHz", ("rpi5-tflite",), "rpi5-gigabit",
          "Raspberry Pi 5 on a gigabit switch; TFLite (XNNPACK) on four cores"),
    Board(NANO, "TensorRT", None, "GPU at 921 MHz", ("jetson-nano-gigabit",)),
    Board(NANO, "PyTorch", None, "GPU at 921 MHz", ("jetson-nano-pytorch",), "jetson-nano-gigabit",
          "NVIDIA Jetson Nano 4 GB on a gigabit switch; PyTorch on its GPU"),
    Board(NANO, "ncnn Vulkan", None, "GPU at 921 MHz", ("jetson-nano-vulkan",),
          "jetson-nano-gigabit", "NVIDIA Jetson Nano 4 GB on a gigabit switch; ncnn on its GPU"),
    Board(f"{NANO} CPU", "ncnn", 4, "1.43 GHz", ("jetson-nano-cpu",), "jetson-nano-gigabit",
          "NVIDIA Jetson Nano 4 GB on a gigabit switch; ncnn on its four cores"),
    Board(f"{NANO} CPU", "ncnn", 1, "1.43 GHz", ("jetson-nano-cpu-1thread",),
          "jetson-nano-gigabit", "NVIDIA Jetson Nano 4 GB on a gigabit switch; ncnn on one core"),
    Board(SUPER, "TensorRT", None, "MAXN_SUPER, GPU at 1020 MHz", ("jetson-orin-nano-gigabit",)),
    Board(ORIN, "TensorRT", None, "GPU at 625 MHz", ("jetson-orin-nano-jetpack6",),
          "jetson-orin-nano-gigabit",
          "Jetson Orin Nano 8 GB (clocks before Super) on a gigabit switch; TensorRT"),
    Board(ORIN, "ncnn Vulkan", None, "GPU at 625 MHz, power mode not stated",
          ("jetson-orin-nano-vulkan",), "jetson-orin-nano-gigabit",
          "Jetson Orin Nano 8 GB (clocks before Super) on a gigabit switch; ncnn on its GPU"),
    Board(f"{ORIN} CPU", "ncnn", 6, "1.5 GHz, power mode not stated", ("jetson-orin-nano-cpu",),
          "jetson-orin-nano-gigabit",
          "Jetson Orin Nano 8 GB (clocks before Super) on a gigabit switch; ncnn, six cores"),
    Board(f"{ORIN} CPU", "ncnn", 1, "1.5 GHz, power mode not stated",
          ("jetson-orin-nano-cpu-1thread",), "jetson-orin-nano-gigabit",
          "Jetson Orin Nano 8 GB (clocks before Super) on a gigabit switch; ncnn, one core"),
    Board("Coral USB Accelerator (USB3)", "Edge TPU", None, "500 MHz", ("edgetpu-usb",)),
    Board("STM32H747 Cortex-M7 400MHz", "Cube.AI", 1, "400 MHz", ("stm32h743-ethernet",)),
    Board("ESP32-S3 240MHz", "ESP-DL", 2, "240 MHz", ("esp32s3-wifi", "esp32s3-espnow")),
    Board("NVIDIA A100", "TensorRT", None, "1.41 GHz", ("a100-nvlink", "a100-pcie")),
    Board("NVIDIA A100", "TensorFlow", None, "1.41 GHz", ("a100-tensorflow",), "a100-pcie",
          "NVIDIA A100 on PCIe 4; TensorFlow, one image at a time"),
    Board("Intel i9-10940X", "PyTorch inductor", None, "3.3 GHz, threads not stated",
          ("i9-10940x",), "rpi4-gigabit",
          "Intel i9-10940X desktops on a gigabit switch; PyTorch 2.4 compiled by inductor",
          link_alone=True),
    Board(H7A3, "Cube.AI", 1, "280 MHz", ("nucleo-h7a3zi-cubeai",), "stm32h743-ethernet",
          f"NUCLEO-H7A3ZI-Q (Cortex-M7) {NO_LINK}; X-CUBE-AI 8", True, H7A3_RAM),
    Board(H7A3, "Cube.AI 7", 1, "280 MHz", ("nucleo-h7a3zi-cubeai7",), "stm32h743-ethernet",
          f"NUCLEO-H7A3ZI-Q (Cortex-M7) {NO_LINK}; X-CUBE-AI 7", True, H7A3_RAM),
    Board(H7A3, "Plumerai", 1, "280 MHz", ("nucleo-h7a3zi-plumerai",), "stm32h743-ethernet",
          f"NUCLEO-H7A3ZI-Q (Cortex-M7) {NO_LINK}; Plumerai's engine", True, H7A3_RAM),
    Board(H7A3, "Bosch", 1, "280 MHz", ("nucleo-h7a3zi-bosch",), "stm32h743-ethernet",
          f"NUCLEO-H7A3ZI-Q (Cortex-M7) {NO_LINK}; Bosch's engine in fp32", True, H7A3_RAM),
    Board(F746, "Plumerai", 1, "216 MHz", ("disco-f746ng-plumerai",), "stm32h743-ethernet",
          "DISCO-F746NG (Cortex-M7) with the link of an STM32H743 board; Plumerai's engine", True,
          F746_RAM),
    Board(PI4, "OpenCV DNN", 4, "1.5 GHz", ("rpi4-opencv",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; OpenCV DNN, pre- and postprocessing in each run"),
    Board(NANO, "OpenCV DNN CUDA", None, "GPU at 921 MHz", ("jetson-nano-opencv",),
          "jetson-nano-gigabit", "NVIDIA Jetson Nano 4 GB on a gigabit switch; OpenCV DNN on its "
          "GPU, pre- and postprocessing in each run"),
    Board(ORIN, "OpenCV DNN CUDA", None, "GPU at 625 MHz", ("jetson-orin-nano-opencv",),
          "jetson-orin-nano-gigabit", "Jetson Orin Nano 8 GB (clocks before Super) on a gigabit "
          "switch; OpenCV DNN on its GPU, pre- and postprocessing in each run"),
    Board(PI4, "ncnn of 2020", 4, "1.5 GHz", ("rpi4-ncnn-2020",), "rpi4-gigabit",
          "Raspberry Pi 4 on a gigabit switch; ncnn as it was in 2020, on four cores"),
)  # fmt: skip


def base_of(board: Board, name: str) -> Document:
    """Return what a file keeps: its own link, capacity and cost, or those of its base."""
    if not board.base:
        return load_profile(name).document
    raw = load_profile(board.base).document.model_dump(exclude_none=True)
    raw["description"] = board.description
    raw["compute"] = {"fp32": {"value": "1GMAC/s", "estimate": "to be fitted"}}
    for own in ("device", "runtime", "clock", "threads", "held_out_error"):
        raw.pop(own, None)
    if board.link_alone:
        raw.pop("cost", None)
        raw["memory"] = {}
    if board.capacity:
        value, source = board.capacity
        raw["memory"]["capacity"] = {"value": value, "source": source}
    return Document.model_validate(raw, context={"has_ops_per_mac": True})


def write(board: Board, fits: Sequence[Fit]) -> None:
    """Write the files of a board, by the first fit that has it."""
    of = Target(names.device_words(board.device), board.engine, board.threads, "")
    found = next((each for each in fits if kinds_like(each, of)), None)
    if found is None:
        print(f"{board.files[0]}: too few rows")
        return
    kinds = kinds_like(found, of)
    for name in board.files:
        base = base_of(board, name)
        document = fitted_profile(found, kinds, base, TODAY, board.clock, new=bool(board.base))
        (FOLDER / f"{name}.toml").write_text(to_toml(document), encoding="utf-8")
    print(f"{board.files[0]}: {100 * found.held_out_error(kinds):.0f} % held out")


def main(wanted: Sequence[str]) -> None:
    """Write every profile that has rows enough, or those that are named."""
    known = [name for board in BOARDS for name in board.files]
    for name in wanted:
        if name not in known:
            sys.exit(str(UnknownNameError("profile", name, known)))
    for board in BOARDS:
        if not wanted or set(wanted) & set(board.files):
            write(board, shipped_fits())


if __name__ == "__main__":
    main(sys.argv[1:])
