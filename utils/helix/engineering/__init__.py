"""Quantization, mixed precision, pruning, compilation.

Start from a network that is there: ``trained.load("fp32")`` is a ResNet18 with 92.1 % on Fashion-MNIST. `resnet` has ResNet50 as
well; `training` is one loop (`fit`, `predict`); `grids` and `quantization` are what the names say; `class_harm` has the change of each
class and the gate `class_gate`; `language` asks SmolLM2; `compensation` rounds with a look at the inputs (GPTQ, AWQ, SmoothQuant). Of that ResNet18's
11.2 million weights 4.2 million can ever meet a picture of 28 pixels; `trained.live_taps` says which, and `trained.compact` cuts the others away.
"""
