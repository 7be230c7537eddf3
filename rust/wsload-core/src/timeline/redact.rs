//! Secrets in sent payloads: their place is kept, their value is not.

/// A value that must not be stored, and the name that is stored in its stead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Whose value it is.
    pub name: String,
    /// The value.
    pub value: Vec<u8>,
}

/// Appends `payload` with every secret replaced by `***NAME***`; whether there was one. `cut`: the payload goes on beyond
/// its end, so the beginning of a secret there is a secret as well.
pub(super) fn redact(secrets: &[Secret], payload: &[u8], cut: bool, out: &mut Vec<u8>) -> bool {
    let mut found = false;
    let mut rest = payload;
    while !rest.is_empty() {
        let hit = secrets.iter().find(|secret| begins(rest, &secret.value, cut));
        match hit {
            Some(secret) => {
                found = true;
                out.extend_from_slice(b"***");
                out.extend_from_slice(secret.name.as_bytes());
                out.extend_from_slice(b"***");
                rest = &rest[secret.value.len().min(rest.len())..];
            }
            None => {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    found
}

fn begins(text: &[u8], value: &[u8], cut: bool) -> bool {
    !value.is_empty() && (text.starts_with(value) || (cut && text.len() < value.len() && value.starts_with(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(payload: &str, cut: bool) -> (String, bool) {
        let secrets =
            [("token", "s3cr3t"), ("pin", "12")].map(|(name, value)| Secret { name: name.into(), value: value.into() });
        let mut out = Vec::new();
        let found = redact(&secrets, payload.as_bytes(), cut, &mut out);
        (String::from_utf8(out).unwrap(), found)
    }

    #[test]
    fn every_secret_is_replaced_by_its_name() {
        assert_eq!(
            redacted("a s3cr3t, 12 and s3cr3t", false),
            ("a ***token***, ***pin*** and ***token***".into(), true)
        );
        assert_eq!(redacted("nothing 1 here", false), ("nothing 1 here".into(), false));
    }

    #[test]
    fn a_cut_payload_does_not_end_in_half_a_secret() {
        assert_eq!(redacted("a s3cr", true), ("a ***token***".into(), true));
        assert_eq!(redacted("a s3cr", false), ("a s3cr".into(), false));
    }
}
