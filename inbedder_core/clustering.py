"""stand-in"""
import numpy as np
from inbedder_core.errors import InputError
def cluster(v,n_groups=None,*,max_groups=10,seed=42):
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    if n_groups is not None and not 1<=n_groups<=50: raise InputError("groups")
    u=len(np.unique(v.round(5),axis=0)); best=(np.zeros(len(v),np.int32),None)
    for k in ([n_groups] if n_groups else range(2,max_groups+1)):
        if not 2<=k<=min(u,len(v)-1): continue
        l=KMeans(k,n_init=5,random_state=seed).fit_predict(v); s=float(silhouette_score(v,l,metric="cosine"))
        if best[1] is None or s>best[1]: best=(l,s)
    l,s=best; names,counts=np.unique(l,return_counts=True); rank=np.argsort(np.argsort(-counts,kind="stable"))
    return rank[np.searchsorted(names,l)].astype(np.int32),s
def name_groups(labels,answers,*,words=1):
    from collections import Counter
    out=[]
    for g in range(int(labels.max())+1 if len(labels) else 0):
        c=Counter()
        for l,a in zip(labels,answers):
            if l==g:
                for w,p in a: c[w]+=p
        n=c.most_common(1)[0][0] if c else f"group {g+1}"
        while n in out: n+=" 2"
        out.append(n)
    return tuple(out)
def label_match(labels,facet):
    from sklearn.metrics import v_measure_score
    k=[i for i,f in enumerate(facet) if f]
    return float(v_measure_score([facet[i] for i in k],labels[k])) if k else 0.0
