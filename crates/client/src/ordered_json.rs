//! The settings files of agents, changed without touching anything else in them.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// JSON that keeps the order of its keys and the spelling of its values.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Node {
    Object(IndexMap<String, Node>),
    Array(Vec<Node>),
    Scalar(Box<RawValue>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let node = match raw.get().as_bytes().first() {
            Some(b'{') => serde_json::from_str(raw.get()).map(Node::Object),
            Some(b'[') => serde_json::from_str(raw.get()).map(Node::Array),
            _ => Ok(Node::Scalar(raw)),
        };
        node.map_err(serde::de::Error::custom)
    }
}

impl Node {
    pub(crate) fn object(&mut self) -> Option<&mut IndexMap<String, Node>> {
        if let Node::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }

    pub(crate) fn array(&mut self) -> Option<&mut Vec<Node>> {
        if let Node::Array(array) = self {
            Some(array)
        } else {
            None
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        if let Node::Object(object) = self {
            object.get(key)
        } else {
            None
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        if let Node::Array(array) = self { array } else { &[] }
    }

    pub(crate) fn text(&self) -> Option<String> {
        if let Node::Scalar(raw) = self {
            serde_json::from_str(raw.get()).ok()
        } else {
            None
        }
    }

    pub(crate) fn of<T: Serialize>(value: &T) -> Node {
        let json = serde_json::to_string(value).expect("texts and objects of texts are JSON");
        serde_json::from_str(&json).expect("what was just written as JSON reads")
    }
}
