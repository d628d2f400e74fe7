"""How many bytes of tensors are alive, and at most were, while a node runs."""

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts each tensor's memory once, from the operator that makes it until nobody holds it.

    What a kernel takes and gives back inside one operator is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._known: set[int] = set()

    def hold(self, tensor: Tensor) -> None:
        """Count a tensor that was made outside."""
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if not address or address in self._known:
            return
        self._known.add(address)
        nbytes = storage.nbytes()
        self.now += nbytes
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._release, address, nbytes)

    def _release(self, address: int, nbytes: int) -> None:
        self._known.discard(address)
        self.now -= nbytes

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here: do without torch's compiler, which takes seconds to import."""
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Any = (),
        kwargs: Any = None,
    ) -> Any:
        """Run one operator and count the tensors that it makes, not those that it looks at."""
        given = {tensor.untyped_storage().data_ptr() for tensor in _tensors((args, kwargs))}
        made = func(*args, **(kwargs or {}))
        for tensor in _tensors(made):
            if tensor.untyped_storage().data_ptr() not in given:
                self.hold(tensor)
        return made


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
