//! The `Sec-WebSocket-Extensions` header, both ways (RFC 7692 section 7.1).

use serde::{Deserialize, Serialize};

/// What the client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Ask the server to forget its context after each message.
    pub server_no_context_takeover: bool,
    /// Promise to forget ours, whatever the server answers.
    pub client_no_context_takeover: bool,
    /// Largest window the server may use, 9 to 15; `None`: its choice.
    #[serde(deserialize_with = "Option::deserialize")]
    pub server_max_window_bits: Option<u8>,
    /// Largest window the client will use, 9 to 15. The parameter is always offered: without it the server could
    /// not ask for less. 8 is legal but raw deflate with it is beyond zlib, so it is never offered.
    pub client_max_window_bits: u8,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: None,
            client_max_window_bits: 15,
        }
    }
}

impl Offer {
    /// Value of the request's `Sec-WebSocket-Extensions` header.
    pub fn header_value(&self) -> String {
        let mut value = String::from("permessage-deflate");
        if self.server_no_context_takeover {
            value += "; server_no_context_takeover";
        }
        if self.client_no_context_takeover {
            value += "; client_no_context_takeover";
        }
        if let Some(bits) = self.server_max_window_bits {
            value += &format!("; server_max_window_bits={bits}");
        }
        value += "; client_max_window_bits";
        if self.client_max_window_bits < 15 {
            value += &format!("={}", self.client_max_window_bits);
        }
        value
    }
}

/// What both ends will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The server forgets its context after each message.
    pub server_no_context_takeover: bool,
    /// We forget ours.
    pub client_no_context_takeover: bool,
    /// Window of the server, 8 to 15.
    pub server_max_window_bits: u8,
    /// Window of ours, 9 to 15.
    pub client_max_window_bits: u8,
}

impl std::fmt::Display for Agreed {
    /// As RFC 7692 spells the parameters; those that say nothing are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("permessage-deflate")?;
        for (name, holds) in [
            ("server_no_context_takeover", self.server_no_context_takeover),
            ("client_no_context_takeover", self.client_no_context_takeover),
        ] {
            if holds {
                write!(f, "; {name}")?;
            }
        }
        for (name, bits) in [
            ("server_max_window_bits", self.server_max_window_bits),
            ("client_max_window_bits", self.client_max_window_bits),
        ] {
            if bits < 15 {
                write!(f, "; {name}={bits}")?;
            }
        }
        Ok(())
    }
}

/// Why an answer must fail the connection (RFC 6455 section 9.1, RFC 7692 sections 5.1, 7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionFault {
    /// Not of the grammar of RFC 6455 section 9.1.
    #[error("the Sec-WebSocket-Extensions header is malformed")]
    Malformed,
    /// Not permessage-deflate, or it was not offered.
    #[error("the server uses the extension {0}, which was not offered")]
    NotOffered(String),
    /// Two answers to one offer.
    #[error("the server accepts permessage-deflate twice")]
    Twice,
    /// A parameter RFC 7692 does not define.
    #[error("permessage-deflate parameter {0} is not defined")]
    UnknownParameter(String),
    /// A parameter twice.
    #[error("permessage-deflate parameter {0} is repeated")]
    Repeated(String),
    /// A value missing, not allowed, or outside its range.
    #[error("permessage-deflate parameter {0} has an invalid value")]
    Value(String),
    /// Not an answer to what was offered.
    #[error("permessage-deflate parameter {0} does not fit the offer")]
    NotAgreeable(String),
}

/// Judges the answer to `offer` (`None`: nothing was offered). `Ok(None)`: the server declined.
pub fn judge(offer: Option<&Offer>, header_value: &str) -> Result<Option<Agreed>, ExtensionFault> {
    let mut agreed = None;
    for element in split_outside_quotes(header_value, ',')? {
        let mut parts = split_outside_quotes(element, ';')?.into_iter().map(str::trim);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() && header_value.trim().is_empty() {
            return Ok(None);
        }
        if !is_token(name) {
            return Err(ExtensionFault::Malformed);
        }
        let offer = offer.filter(|_| name == "permessage-deflate");
        let offer = offer.ok_or_else(|| ExtensionFault::NotOffered(name.to_owned()))?;
        if agreed.is_some() {
            return Err(ExtensionFault::Twice);
        }
        agreed = Some(judge_parameters(offer, parts)?);
    }
    Ok(agreed)
}

fn judge_parameters<'a>(offer: &Offer, parameters: impl Iterator<Item = &'a str>) -> Result<Agreed, ExtensionFault> {
    let mut seen: Vec<&str> = Vec::new();
    let mut agreed = Agreed {
        server_no_context_takeover: false,
        // A client that offered to reset may do so whatever the answer (section 7.1.1.2).
        client_no_context_takeover: offer.client_no_context_takeover,
        server_max_window_bits: 15,
        client_max_window_bits: offer.client_max_window_bits,
    };
    for parameter in parameters {
        let (name, value) = name_and_value(parameter)?;
        if seen.contains(&name) {
            return Err(ExtensionFault::Repeated(name.to_owned()));
        }
        seen.push(name);
        let bits = || window_bits(value).ok_or_else(|| ExtensionFault::Value(name.to_owned()));
        match name {
            "server_no_context_takeover" | "client_no_context_takeover" if value.is_some() => {
                return Err(ExtensionFault::Value(name.to_owned()));
            }
            "server_no_context_takeover" => agreed.server_no_context_takeover = true,
            "client_no_context_takeover" => agreed.client_no_context_takeover = true,
            "server_max_window_bits" => agreed.server_max_window_bits = bits()?,
            "client_max_window_bits" => {
                let bits = bits()?;
                if bits < 9 {
                    return Err(ExtensionFault::NotAgreeable(name.to_owned()));
                }
                agreed.client_max_window_bits = bits.min(offer.client_max_window_bits);
            }
            _ => return Err(ExtensionFault::UnknownParameter(name.to_owned())),
        }
    }
    // What was asked of the server must be granted, and no more than that for its window.
    if offer.server_no_context_takeover && !agreed.server_no_context_takeover {
        return Err(ExtensionFault::NotAgreeable("server_no_context_takeover".to_owned()));
    }
    if let Some(asked) = offer.server_max_window_bits
        && (!seen.contains(&"server_max_window_bits") || agreed.server_max_window_bits > asked)
    {
        return Err(ExtensionFault::NotAgreeable("server_max_window_bits".to_owned()));
    }
    Ok(agreed)
}

/// Decimal 8 to 15 without leading zero.
fn window_bits(value: Option<&str>) -> Option<u8> {
    match value? {
        "8" => Some(8),
        "9" => Some(9),
        two if two.len() == 2 => two.parse().ok().filter(|bits| (10..=15).contains(bits)),
        _ => None,
    }
}

fn name_and_value(parameter: &str) -> Result<(&str, Option<&str>), ExtensionFault> {
    let (name, value) = match parameter.split_once('=') {
        Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
        None => (parameter, None),
    };
    // A quoted value must be a token once unquoted (RFC 6455 section 9.1), so no escape can be meant.
    let value = value.map(|value| value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value));
    if is_token(name) && value.is_none_or(is_token) { Ok((name, value)) } else { Err(ExtensionFault::Malformed) }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn split_outside_quotes(text: &str, separator: char) -> Result<Vec<&str>, ExtensionFault> {
    let mut quoted = false;
    let parts: Vec<&str> = text
        .split(|c| {
            quoted ^= c == '"';
            c == separator && !quoted
        })
        .map(str::trim)
        .collect();
    if quoted { Err(ExtensionFault::Malformed) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking() -> Offer {
        Offer { server_no_context_takeover: true, server_max_window_bits: Some(12), ..Offer::default() }
    }

    #[test]
    fn section_7_1_the_offer_is_written_as_the_rfc_spells_it() {
        assert_eq!(Offer::default().header_value(), "permessage-deflate; client_max_window_bits");
        let all = Offer { client_no_context_takeover: true, client_max_window_bits: 10, ..asking() };
        assert_eq!(
            all.header_value(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=12; client_max_window_bits=10"
        );
    }

    #[test]
    fn section_7_1_answers_that_are_agreed_to() {
        let plain = Agreed {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        };
        for (answer, agreed) in [
            ("permessage-deflate", plain),
            (" permessage-deflate ;server_no_context_takeover", Agreed { server_no_context_takeover: true, ..plain }),
            ("permessage-deflate; client_no_context_takeover", Agreed { client_no_context_takeover: true, ..plain }),
            ("permessage-deflate; server_max_window_bits=8", Agreed { server_max_window_bits: 8, ..plain }),
            ("permessage-deflate; client_max_window_bits=\"9\"", Agreed { client_max_window_bits: 9, ..plain }),
        ] {
            assert_eq!(judge(Some(&Offer::default()), answer), Ok(Some(agreed)), "{answer}");
        }
        assert_eq!(judge(Some(&Offer::default()), ""), Ok(None));
    }

    #[test]
    fn section_7_1_1_2_a_promise_to_reset_holds_whatever_the_answer() {
        let offer = Offer { client_no_context_takeover: true, ..Offer::default() };
        let agreed = judge(Some(&offer), "permessage-deflate").unwrap().unwrap();
        assert!(agreed.client_no_context_takeover);
    }

    #[test]
    fn section_7_answers_that_fail_the_connection() {
        use ExtensionFault::*;
        let name = |text: &str| text.to_owned();
        for (answer, fault) in [
            ("permessage-deflate, permessage-deflate", Twice),
            ("permessage-bzip2", NotOffered(name("permessage-bzip2"))),
            ("permessage-deflate; shiny", UnknownParameter(name("shiny"))),
            ("permessage-deflate; server_no_context_takeover=1", Value(name("server_no_context_takeover"))),
            ("permessage-deflate; server_max_window_bits", Value(name("server_max_window_bits"))),
            ("permessage-deflate; server_max_window_bits=16", Value(name("server_max_window_bits"))),
            ("permessage-deflate; server_max_window_bits=08", Value(name("server_max_window_bits"))),
            ("permessage-deflate; client_max_window_bits=7", Value(name("client_max_window_bits"))),
            ("permessage-deflate; client_max_window_bits=8", NotAgreeable(name("client_max_window_bits"))),
            (
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                Repeated(name("server_no_context_takeover")),
            ),
            ("permessage-deflate; =3", Malformed),
            ("permessage-deflate; server_max_window_bits=\"1", Malformed),
            ("permessage-deflate,", Malformed),
        ] {
            assert_eq!(judge(Some(&Offer::default()), answer), Err(fault), "{answer}");
        }
        assert_eq!(judge(None, "permessage-deflate"), Err(NotOffered(name("permessage-deflate"))));
    }

    #[test]
    fn section_7_1_2_1_what_was_asked_of_the_server_must_be_granted() {
        let granted = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
        assert!(judge(Some(&asking()), granted).is_ok());
        for answer in [
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=13",
        ] {
            assert!(matches!(judge(Some(&asking()), answer), Err(ExtensionFault::NotAgreeable(_))), "{answer}");
        }
    }
}
