"""Recall, precision and landmark error against labelled faces."""
import numpy as np

from .decode import overlap
from .pack import SURE
from .scene import SMALLEST

SIZES = ((SMALLEST, 16), (16, 24), (24, 32), (32, 64), (64, 128), (128, 1000))
FROM = {16: 1, 24: 2, 32: 3, 64: 4}  # Rows for all from a size on: the first of SIZES that is in.


class Tally:
    """Counts by the size of the face, in pixels of the network's input (mean of the sides)."""

    def __init__(self):
        self.found, self.missed, self.wrong = np.zeros(len(SIZES)), np.zeros(len(SIZES)), np.zeros(len(SIZES))
        self.error = [[] for _ in SIZES]

    def add(self, truth, boxes, scores, points, threshold=.6, least=.5):
        """truth: rows x y w h, score, ten coordinates. Returns what each detection is: True, False or None.

        Faces the teacher is not sure of, and those smaller than any that is
        learnt, neither have to be found nor count as wrong when they are (None).
        """
        slot = lambda b: max(sum(np.sqrt(b[2] * b[3]) >= s[0] for s in SIZES) - 1, 0)
        truth = np.asarray(truth, float).reshape(-1, 15)
        counts = (truth[:, 4] >= SURE) & (truth[:, 2] * truth[:, 3] >= SMALLEST ** 2)
        free, verdict = np.ones(len(truth), bool), [None] * len(boxes)
        keep = [i for i in np.argsort(-scores) if scores[i] >= threshold]
        iou = overlap(boxes, truth[:, :4])
        for i in keep:
            open_ = np.where(free & counts, iou[i], 0)
            j = int(open_.argmax()) if len(open_) else -1
            if j >= 0 and open_[j] >= least:
                free[j], verdict[i] = False, True
                k = slot(truth[j])
                self.found[k] += 1
                true = truth[j, 5:].reshape(5, 2)
                eyes = np.linalg.norm(true[0] - true[1])
                self.error[k].append(np.linalg.norm(points[i] - true, axis=1).mean() / max(eyes, 1e-3))
            elif not (np.where(counts, 0, iou[i]) >= .3).any():
                verdict[i] = False
                self.wrong[slot(boxes[i])] += 1
        for j in np.where(free & counts)[0]:
            self.missed[slot(truth[j])] += 1
        return verdict

    def rows(self):
        """(size, faces, recall, precision, mean and median landmark error), the last row for all sizes."""
        parts = [('%d..%d' % s if s[1] < 1000 else 'from %d' % s[0], slice(k, k + 1)) for k, s in enumerate(SIZES)]
        for name, k in parts + [('from %d' % s, slice(k, None)) for s, k in FROM.items()] + [('all', slice(None))]:
            pick = lambda v: float(np.sum(v[k]))
            found, missed, wrong = pick(self.found), pick(self.missed), pick(self.wrong)
            error = sum(self.error[k], [])
            yield (name, int(found + missed), found / max(found + missed, 1), found / max(found + wrong, 1),
                   float(np.mean(error)) if error else 0., float(np.median(error)) if error else 0.)
