"""stand-in"""
import numpy as np
def agreement(a,b):
    a=a-a.mean(0);b=b-b.mean(0)
    d=np.linalg.norm(a.T@a)*np.linalg.norm(b.T@b)
    return float(np.linalg.norm(a.T@b)**2/d) if d else 1.0
def moved(a,b):
    return np.array([1-len(set(x)&set(y))/max(1,len(x)) for x,y in zip(a,b)],np.float32)
