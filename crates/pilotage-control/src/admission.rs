//! Which objects are fit for use: Istio's webhook, without an API server.

use pilotage_config::{Diagnostic, Loaded, check};

/// Checks each object by itself. What has an error moves to the broken ones, with its problems.
#[must_use]
pub fn admit(mut loaded: Loaded) -> Loaded {
    let objects = std::mem::take(&mut loaded.objects);
    for object in objects {
        let problems = check(&object);
        if problems.iter().any(Diagnostic::is_error) {
            loaded.broken.push(object);
        } else {
            loaded.objects.push(object);
        }
        loaded.diagnostics.extend(problems);
    }
    loaded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_istio_would_reject_is_broken() {
        let object = |weight: i32| {
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: w{}}}\nspec:\n  \
                 hosts: [a]\n  http: [{{route: [{{destination: {{host: a}}, weight: {weight}}}]}}]\n---\n",
                weight.abs()
            )
        };
        let admitted = admit(pilotage_config::load("a.yaml", &(object(100) + &object(-1))));
        assert_eq!(admitted.objects.len(), 1);
        assert_eq!(admitted.broken.len(), 1);
        assert!(admitted.has_errors());
    }
}
