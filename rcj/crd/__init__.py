"""Contrastive representation distillation: banks, negatives, loss and term."""

from rcj.crd.loss import crd, init
from rcj.crd.negatives import by_class, contrast
from rcj.crd.term import CRD

__all__ = ['CRD', 'by_class', 'contrast', 'crd', 'init']
