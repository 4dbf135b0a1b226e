"""Static int8: ranges from images, fake quantization, integers."""

from rcj.quantize.calibration import calibrate as calibrate
from rcj.quantize.networks import integers as integers
from rcj.quantize.networks import quantize as quantize
from rcj.quantize.networks import quantized as quantized
