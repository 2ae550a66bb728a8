//! Rules of `mirror`, `mirrors` and their shares.

use super::checker::Checker;
use super::destination;
use crate::field_path::FieldPath;
use crate::virtual_service::{HttpRoute, Percent};

pub(super) fn check(route: &HttpRoute, at: &FieldPath, checker: &mut Checker<'_>) {
    if route.mirror.is_some() && !route.mirrors.is_empty() {
        checker.error(
            &at.field("mirrors"),
            "`mirror` and `mirrors` cannot stand together",
            "one of them",
        );
        checker.help("`mirrors` can hold the destination of `mirror` as well");
    }
    if let Some(percent) = route.mirror_percent {
        let at = at.field("mirrorPercent");
        checker.warning(&at, "`mirrorPercent` is deprecated", "write mirrorPercentage: {value: …}");
        if percent > 100 {
            checker.error(&at, format!("{percent} is more than 100 percent"), "not a percentage");
        }
    }
    mirror_share(route.mirror_percentage.as_ref(), &at.field("mirrorPercentage"), checker);
    if let Some(mirror) = &route.mirror {
        destination::check(mirror, &at.field("mirror"), checker);
    }
    for (index, mirror) in route.mirrors.iter().enumerate() {
        let at = at.field("mirrors").index(index);
        match &mirror.destination {
            Some(destination) => {
                destination::check(destination, &at.field("destination"), checker);
            }
            None => checker.error(&at, "a mirror needs a destination", "to where?"),
        }
        mirror_share(mirror.percentage.as_ref(), &at.field("percentage"), checker);
    }
}

fn mirror_share(share: Option<&Percent>, at: &FieldPath, checker: &mut Checker<'_>) {
    if let Some(value) = share.map(|s| s.value.get()).filter(|v| !(0.0..=100.0).contains(v)) {
        checker.error(at, format!("{value} is not a percentage from 0 to 100"), "not a percentage");
    }
}
