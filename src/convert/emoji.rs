//! Emoji: the character where there is one, else the short name.

use super::token::Tag;

/// What an `ac:emoticon` shows.
pub(super) fn emoji(tag: &Tag<'_>) -> String {
    let fallback = tag.attribute_or_empty("ac:emoji-fallback");
    if !fallback.is_ascii() {
        return fallback.into_owned();
    }
    if let Some(character) = tag.attribute("ac:emoji-id").and_then(|id| from_code_points(&id)) {
        return character;
    }
    if let Some(character) = named(&tag.attribute_or_empty("ac:name")) {
        return character.to_owned();
    }
    let short_name = tag.attribute_or_empty("ac:emoji-shortname");
    let name = if short_name.is_empty() { fallback } else { short_name };
    let name = if name.is_empty() { tag.attribute_or_empty("ac:name") } else { name };
    let name = name.trim_matches(':');
    if name.is_empty() { String::new() } else { format!(":{name}:") }
}

/// `1f44d-1f3fb` → 👍🏻; anything else is the id of a site's own picture.
fn from_code_points(id: &str) -> Option<String> {
    id.split('-')
        .map(|part| u32::from_str_radix(part, 16).ok().filter(|n| *n > 0x7f).and_then(char::from_u32))
        .collect()
}

/// The emoticons of the old editor.
fn named(name: &str) -> Option<&'static str> {
    let character = match name {
        "smile" => "🙂",
        "sad" => "🙁",
        "cheeky" => "😛",
        "laugh" => "😀",
        "wink" => "😉",
        "thumbs-up" => "👍",
        "thumbs-down" => "👎",
        "information" => "ℹ️",
        "tick" => "✅",
        "cross" => "❌",
        "warning" => "⚠️",
        "plus" => "➕",
        "minus" => "➖",
        "question" => "❓",
        "light-on" | "light-off" => "💡",
        "yellow-star" | "red-star" | "green-star" | "blue-star" => "⭐",
        "heart" => "❤️",
        "broken-heart" => "💔",
        _ => return None,
    };
    Some(character)
}
