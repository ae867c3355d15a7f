"""stand-in"""
import numpy as np, threading
from inbedder_core.schema import Projection
_w=threading.Event(); _l=threading.Lock()
def warm_up():
    with _l:
        if not _w.is_set():
            import umap
            umap.UMAP(n_neighbors=3,random_state=1).fit(np.random.rand(10,4)); _w.set()
def is_warm(): return _w.is_set()
def project(v,*,method="umap",n_neighbors=15,min_dist=.1,seed=42,neighbors=None,init=None):
    u,s,_=np.linalg.svd(v-v.mean(0),full_matrices=False) if len(v)>1 else (np.zeros((len(v),2)),np.zeros(2),0)
    xy=np.zeros((len(v),2),np.float32); k=min(2,u.shape[1]); xy[:,:k]=(u*s)[:,:k]
    if method=="umap" and len(v)>5:
        import umap
        xy=umap.UMAP(n_neighbors=min(n_neighbors,len(v)-1),random_state=seed,init=(init if init is not None else xy/max(xy.std(),1e-6))+1e-4*np.random.default_rng(0).normal(size=xy.shape),min_dist=min_dist).fit_transform(v)
    else: method="pca"
    return Projection((xy-xy.mean(0)).astype(np.float32),np.ones(len(v),np.float32),method)
def align(xy,ref):
    u,_,t=np.linalg.svd(xy.T@ref); r=np.linalg.norm(xy) or 1
    return (xy@(u@t)*np.linalg.norm(ref)/r).astype(np.float32)
