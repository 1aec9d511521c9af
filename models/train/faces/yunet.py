"""The teacher's ONNX file as a PyTorch module, for looks at training pictures on the device."""
import numpy as np
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper

from .decode import STRIDES


class YuNet(nn.Module):
    """Runs Conv, Relu, MaxPool, Add and Resize (nearest x2), all that YuNet has before its heads' outputs are reordered."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        made = {o: node for node in graph.node for o in node.output}
        self.nodes = [node for node in graph.node if node.op_type in ('Conv', 'Relu', 'MaxPool', 'Add', 'Resize')]
        self.input = graph.input[0].name
        for t in graph.initializer:
            if len(t.dims) in (1, 4) and t.data_type == onnx.TensorProto.FLOAT:
                self.register_buffer(t.name.replace('.', '/'), torch.from_numpy(np.array(numpy_helper.to_array(t))))
        self.heads = []
        for kind in ('cls', 'obj', 'bbox'):
            for s in STRIDES:
                name = '%s_%d' % (kind, s)
                while name not in made or made[name].op_type != 'Conv':
                    name = made[name].input[0]
                self.heads.append(name)

    @torch.no_grad()
    def forward(self, x):
        """Pictures [n,3,h,w], RGB in 0..1: scores [n,cells], boxes [n,cells,4] (middle, size in pixels), float32."""
        state = dict(self.named_buffers())
        dtype = next(iter(state.values())).dtype
        values = {self.input: (x.flip(1) * 255).to(dtype).contiguous(memory_format=torch.channels_last)}
        for node in self.nodes:
            a, kind = values[node.input[0]], node.op_type
            if kind == 'Conv':
                w, b = [state[name.replace('.', '/')] for name in node.input[1:]]
                how = {v.name: v for v in node.attribute}
                y = F.conv2d(a, w, b, how['strides'].ints[0], how['pads'].ints[0], 1, how['group'].i)
            elif kind == 'Relu':
                y = F.relu(a)
            elif kind == 'MaxPool':
                y = F.max_pool2d(a, 2)
            elif kind == 'Resize':
                y = F.interpolate(a, scale_factor=2., mode='nearest')
            else:
                y = a + values[node.input[1]]
            values[node.output[0]] = y
        rows = [values[name].float().permute(0, 2, 3, 1) for name in self.heads]
        scores, boxes = [], []
        for k, s in enumerate(STRIDES):
            cls, obj, b = rows[k], rows[k + 3], rows[k + 6]
            h, w = b.shape[1:3]
            cell = torch.stack(torch.meshgrid(torch.arange(w, device=x.device), torch.arange(h, device=x.device),
                                              indexing='xy'), 2)
            box = torch.cat([cell + b[..., :2], torch.exp(b[..., 2:].clamp(-4, 5))], -1) * s
            scores.append((torch.sigmoid(cls) * torch.sigmoid(obj)).sqrt().flatten(1))
            boxes.append(box.flatten(1, 2))
        return torch.cat(scores, 1), torch.cat(boxes, 1)
