//! What a plain (unquoted) scalar means.
//!
//! The rules are those of the YAML reader in front of the Kubernetes API, which is older than
//! YAML 1.2: `yes` and `on` are truth values and `0755` is octal. A file must mean the same here
//! as under `kubectl apply`.

use super::NodeKind;

/// The value of a plain scalar.
pub(crate) fn resolve(text: &str) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return NodeKind::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return NodeKind::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF"
        | ".nan" | ".NaN" | ".NAN" => return NodeKind::Float(text.into()),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        NodeKind::String(text.into())
    } else if integer(text).is_some() {
        NodeKind::Int(text.into())
    } else if is_float(text) {
        NodeKind::Float(text.into())
    } else {
        NodeKind::String(text.into())
    }
}

/// The value of a whole number as written in YAML, if it is one and fits.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = if let Some(hex) = digits.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        (2, binary)
    } else if let Some(octal) = digits.strip_prefix("0o") {
        (8, octal)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    if digits.starts_with(['+', '-', '_']) {
        return None;
    }
    let value = if digits.contains('_') {
        i128::from_str_radix(&digits.replace('_', ""), radix).ok()?
    } else {
        i128::from_str_radix(digits, radix).ok()?
    };
    Some(if negative { -value } else { value })
}

/// The value of a number with a fraction or an exponent.
pub(crate) fn float(text: &str) -> Option<f64> {
    match text.trim_start_matches(['+', '-']) {
        ".inf" | ".Inf" | ".INF" => {
            Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY })
        }
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => text.replace('_', "").parse().ok(),
    }
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_ok
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubernetes_takes_them_for() {
        for text in ["yes", "On", "true", "y"] {
            assert_eq!(resolve(text), NodeKind::Bool(true), "{text}");
        }
        for text in
            ["1.2.3.4", "10s", "v1", "1:2", "2026-01-01", "-", "+", ".", "0x", "1e", "=", "08"]
        {
            assert!(!matches!(resolve(text), NodeKind::Int(_)), "{text}");
        }
        for text in ["1.2.3.4", "10s", "v1", "1:2", "2026-01-01", "-", "+", ".", "0x", "1e"] {
            assert_eq!(resolve(text), NodeKind::String(text.into()), "{text}");
        }
        for text in ["1.5", ".5", "1e3", "-1.", "6.02E+23"] {
            assert_eq!(resolve(text), NodeKind::Float(text.into()), "{text}");
        }
    }

    #[test]
    fn whole_numbers_in_all_notations() {
        assert_eq!(integer("0755"), Some(0o755));
        assert_eq!(integer("0o755"), Some(0o755));
        assert_eq!(integer("-0x10"), Some(-16));
        assert_eq!(integer("1_000"), Some(1000));
        assert_eq!(integer("0"), Some(0));
        assert_eq!(integer("+-1"), None);
        assert_eq!(integer("99999999999999999999999999999999999999999"), None);
    }
}
