"""Devices and runtimes as others write them."""

import re

FURNITURE = frozenset(
    [
        "raspberry",
        "nvidia",
        "google",
        "intel",
        "st",
        "stmicroelectronics",
        "espressif",
        "model",
        "rev",
        "revision",
        "board",
        "kit",
        "developer",
        "devkit",
        "dev",
        "sbc",
        "cpu@",
        "core",
        "processor",
        "sxm",
        "sxm4",
        "pcie",
    ]
)
"""Words of a device's name that tell no two devices apart here."""

ENGINES = (
    ("edge tpu", "Edge TPU"),
    ("edgetpu", "Edge TPU"),
    ("vulkan", "ncnn Vulkan"),
    ("ncnn 2020", "ncnn of 2020"),
    ("ncnn of 2020", "ncnn of 2020"),
    ("ncnn", "ncnn"),
    ("tensorrt", "TensorRT"),
    ("tflite micro, no esp-nn", "TFLite Micro, no ESP-NN"),
    ("tflite micro + esp-nn", "TFLite Micro + ESP-NN"),
    ("tflite micro", "TFLite Micro"),
    ("tflite", "TFLite"),
    ("tensorflow lite", "TFLite"),
    ("litert", "TFLite"),
    ("xnnpack 32", "XNNPACK 32 bit"),
    ("xnnpack", "XNNPACK"),
    ("tensorflow", "TensorFlow"),
    ("qnnpack", "PyTorch qnnpack"),
    ("inductor", "PyTorch inductor"),
    ("dynamo", "PyTorch inductor"),
    ("pytorch", "PyTorch"),
    ("stm32cube.ai", "Cube.AI"),
    ("x-cube-ai 7", "Cube.AI 7"),
    ("x-cube-ai", "Cube.AI"),
    ("esp-dl", "ESP-DL"),
    ("opencv dnn cuda", "OpenCV DNN CUDA"),
    ("opencv", "OpenCV DNN"),
)
"""What a runtime's text contains, and the name that it goes by here; the first one counts."""

FAMILIES = {
    "Cube.AI": "microcontroller", "Cube.AI 7": "microcontroller", "Plumerai": "microcontroller",
    "Bosch": "microcontroller", "ESP-DL": "microcontroller", "TFLite Micro": "microcontroller",
    "TFLite Micro + ESP-NN": "microcontroller", "TFLite Micro, no ESP-NN": "microcontroller",
    "XNNPACK": "TFLite", "XNNPACK 32 bit": "TFLite",
    "ncnn of 2020": "ncnn", "PyTorch qnnpack": "PyTorch", "PyTorch inductor": "PyTorch",
    "TensorFlow": "PyTorch", "discosim run (torch)": "PyTorch",
}  # fmt: skip
"""Engines of one kind, whose operator classes are about as fast in proportion."""


def device_words(text: str) -> frozenset[str]:
    """Return the words that tell a device from others: no maker, no size of its memory."""
    plain = re.sub(r"\((?!cpu\)).*?\)", " ", text.lower().replace("-", " ").replace("_", " "))
    plain = re.sub(r"\bpi\s*4\s*(model\s*)?b\b", "pi 4", plain)
    words = [word for word in re.split(r"[\s,()]+", plain) if word]
    plain_words = {word for word in words if not re.fullmatch(r"\d+\s*gb", word)}
    return frozenset(plain_words - FURNITURE)


def engine(runtime: str) -> str:
    """Return the name that a runtime goes by here, its own one where none is known."""
    text = runtime.lower()
    return next((name for part, name in ENGINES if part in text), runtime.strip())


def family(name: str) -> str:
    """Return the kind of an engine: those of one kind are about equally fast in proportion."""
    return FAMILIES.get(name, name)


def clocks(note: str) -> str:
    """Return the clocks that a note states, as 1.8 GHz, "" where it states none."""
    found = re.findall(r"(\d+(?:\.\d+)?)\s*([MG]Hz)", note, re.I)
    return " and ".join(sorted({f"{float(value):g} {unit[0].upper()}Hz" for value, unit in found}))


def thread_count(threads: str, runtime: str) -> int | None:
    """Return the threads of a row, None where there are none or they are not stated."""
    if "single core" in runtime.lower():
        return 1
    if engine(runtime) == "ESP-DL" and not threads.isdecimal():
        return 2  # both cores, where nothing is said
    found = re.match(r"\d+", threads)
    return int(found[0]) if found else None
