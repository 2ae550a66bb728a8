//! Objects exactly as written: Istio and Kubernetes kinds, loading with spans, diagnostics.
