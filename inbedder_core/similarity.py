"""stand-in"""
import numpy as np
def unit_vectors(embeddings, *, centered=False):
    e=np.asarray(embeddings,np.float32)
    if centered and len(e)>1: e=e-e.mean(0)
    n=np.linalg.norm(e,axis=1,keepdims=True)
    return np.where(n>1e-6,e/np.where(n>0,n,1),0).astype(np.float32)
def cosine(v):
    return np.clip(v@v.T,-1,1)
def neighbors(v,k):
    k=min(k,len(v)-1); c=cosine(v); np.fill_diagonal(c,-9)
    i=np.argsort(-c,axis=1,kind="stable")[:,:k].astype(np.int32)
    return i,np.take_along_axis(c,i,1).astype(np.float32)
def leaf_order(vectors):
    from scipy.cluster.hierarchy import linkage,leaves_list
    from scipy.spatial.distance import squareform
    n=len(vectors[0])
    if n<3: return np.arange(n,dtype=np.int32)
    d=1-np.mean([cosine(v) for v in vectors],axis=0); d=np.clip((d+d.T)/2,0,None); np.fill_diagonal(d,0)
    return leaves_list(linkage(squareform(d,checks=False),"average",optimal_ordering=n<200)).astype(np.int32)
def heatmap(v,order,max_cells=400):
    parts=np.array_split(v[order],min(max_cells,len(v)))
    m=np.stack([p.mean(0) for p in parts])
    return np.clip(m@m.T,-1,1).astype(np.float32)
