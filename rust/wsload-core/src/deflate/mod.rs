//! permessage-deflate (RFC 7692): the offer, the judgement of the answer, compression of messages.
//!
//! A context costs memory (`docs/protocol.md` says how much). Where the agreement lets an end forget its context after
//! each message, one stream in [`Codecs`] serves all connections of a shard; otherwise each connection owns its own, in
//! its [`Codec`].

mod codec;
mod negotiation;
mod stream;

pub use codec::{Codec, Codecs, CompressedBytes};

pub use negotiation::{Agreed, ExtensionFault, Offer, judge};
pub use stream::{Deflater, InflateFault, Inflater};
