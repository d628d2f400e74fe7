"""What many families write the same: a convolution with its norm and activation, and gates."""

from discosim.graph.builder import Builder, Size


def conv_norm(
    net: Builder,
    x: str,
    features: int,
    kernel: Size,
    name: str,
    function: str = "",
    *,
    factor: float = 1.0,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> str:
    """Write a convolution without bias, its batch normalisation and, if named, an activation.

    function, factor: as of `Builder.activation`.
    """
    y = net.conv(x, features, kernel, name, stride=stride, dilation=dilation, groups=groups)
    y = net.batch_norm(y, f"{name}.norm")
    return net.activation(y, f"{name}.act", function, factor) if function else y


def depthwise(
    net: Builder,
    x: str,
    kernel: Size,
    name: str,
    function: str = "",
    *,
    factor: float = 1.0,
    stride: int = 1,
    dilation: int = 1,
) -> str:
    """Write a convolution of each channel by itself, its norm and, if named, an activation."""
    own = net.shape(x)[0]
    return conv_norm(
        net,
        x,
        own,
        kernel,
        name,
        function,
        factor=factor,
        stride=stride,
        dilation=dilation,
        groups=own,
    )


def squeeze_excite(
    net: Builder, x: str, squeezed: int, at: str, function: str = "relu", gate: str = "sigmoid"
) -> str:
    """Weight the channels by what two small layers see of their means (Hu et al., CVPR 2018)."""
    y = net.conv(net.global_pool(x, f"{at}.pool"), squeezed, 1, f"{at}.reduce", bias=True)
    y = net.activation(y, f"{at}.act", function)
    y = net.conv(y, net.shape(x)[0], 1, f"{at}.expand", bias=True)
    return net.multiply(x, net.activation(y, f"{at}.gate", gate), f"{at}.multiply")


def classifier(net: Builder, x: str, classes: int) -> str:
    """Write the mean over all positions and the linear layer that tells the classes apart."""
    return net.linear(net.flatten(net.global_pool(x, "avgpool"), "flatten"), classes, "classifier")
