"""Weights of an ONNX graph as float16."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def halve(graph):
    """Store every float32 initialiser as float16 with a Cast behind it."""
    casts = []
    for i, t in enumerate(list(graph.initializer)):
        if t.data_type != TensorProto.FLOAT:
            continue
        value = numpy_helper.to_array(t)
        if value.ndim < 1 or value.size < 2 or any(t.name in n.input and n.op_type == 'Resize' for n in graph.node):
            continue
        name = t.name
        graph.initializer[i].CopyFrom(numpy_helper.from_array(value.astype(np.float16), name + '.h'))
        casts.append(helper.make_node('Cast', [name + '.h'], [name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)
