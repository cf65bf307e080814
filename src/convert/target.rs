//! Where links, images and references lead: absolute addresses from what a body says.
//!
//! Pages are addressed by title (`/display/KEY/Title`), as the body names them: the text depends on no look-up.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Page;
use super::token::Tag;

/// What a `ri:*` element names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Page { space: String, title: String },
    Post { space: String, title: String, day: String },
    Attachment { file: String, holder: Option<Box<Target>> },
    Space(String),
    User,
    Url(String),
    Shortcut(String),
    Content(String),
}

impl Target {
    pub fn read(tag: &Tag<'_>) -> Option<Self> {
        let value = |name: &str| tag.attribute_or_empty(name).into_owned();
        let target = match tag.name {
            "ri:page" => Self::Page { space: value("ri:space-key"), title: value("ri:content-title") },
            "ri:blog-post" => Self::Post {
                space: value("ri:space-key"),
                title: value("ri:content-title"),
                day: value("ri:posting-day"),
            },
            "ri:attachment" => Self::Attachment { file: value("ri:filename"), holder: None },
            "ri:space" => Self::Space(value("ri:space-key")),
            "ri:user" => Self::User,
            "ri:url" => Self::Url(value("ri:value")),
            "ri:shortcut" => Self::Shortcut(value("ri:parameter")),
            "ri:content-entity" => Self::Content(value("ri:content-id")),
            _ => return None,
        };
        Some(target)
    }

    /// An attachment may be followed by the page that holds it; otherwise the later one counts.
    pub fn then(self, next: Self) -> Self {
        match self {
            Self::Attachment { file, holder: None } => {
                Self::Attachment { file, holder: Some(Box::new(next)) }
            }
            _ => next,
        }
    }

    /// The words that stand for it where the author gave none.
    pub fn label(&self) -> &str {
        match self {
            Self::Page { title, .. } | Self::Post { title, .. } => title,
            Self::Attachment { file, .. } => file,
            Self::Space(key) => key,
            Self::User => "@user",
            Self::Url(url) => url,
            Self::Shortcut(parameter) => parameter,
            Self::Content(_) => "",
        }
    }
}

/// The addresses of one page's site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    base: &'a str,
    space: &'a str,
    page_id: &'a str,
    title: &'a str,
}

impl<'a> Site<'a> {
    pub fn of(page: &Page<'a>) -> Self {
        Self {
            base: page.site_url.trim_end_matches('/'),
            space: page.space_key,
            page_id: page.page_id,
            title: page.title,
        }
    }

    /// The address of what `target` names, or of this page; none where there is nothing to open.
    pub fn url(&self, target: Option<&Target>, anchor: &str) -> Option<String> {
        let mut url = match target {
            None => self.this_page(),
            Some(Target::Page { title, .. }) if title.is_empty() => self.this_page(),
            Some(Target::Page { space, title }) => self.display(space, title),
            Some(Target::Post { space, title, day }) => self.post(space, title, day),
            Some(Target::Attachment { file, holder }) => self.attachment(file, holder.as_deref())?,
            Some(Target::Space(key)) => format!("{}/display/{}", self.base, encode(self.space_or(key))),
            Some(Target::Url(url)) => self.absolute(url)?,
            Some(Target::Content(id)) => self.by_id(id),
            Some(Target::User | Target::Shortcut(_)) => return None,
        };
        if anchor.is_empty() {
            return Some(url);
        }
        let anchor = anchor.trim().trim_start_matches('#');
        if !anchor.is_empty() {
            let _ = write!(url, "#{}", encode(&anchor.replace(' ', "-")));
        }
        Some(url)
    }

    /// An address as written in `href`, made absolute; none where it is a script or nothing.
    pub fn absolute(&self, href: &str) -> Option<String> {
        let href = href.trim();
        let scheme = href.split_once(':').map(|(scheme, _)| scheme);
        let is_scheme =
            |s: &str| s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        match scheme {
            Some(scheme)
                if ["javascript", "data", "vbscript"].iter().any(|bad| scheme.eq_ignore_ascii_case(bad)) =>
            {
                None
            }
            Some(scheme) if !scheme.is_empty() && is_scheme(scheme) => Some(href.to_owned()),
            _ if href.is_empty() => None,
            _ if href.starts_with("//") => Some(format!("https:{href}")),
            _ if href.starts_with('#') => Some(format!("{}{href}", self.this_page())),
            _ if href.starts_with('/') => Some(format!("{}{href}", self.host())),
            _ => Some(format!("{}/{href}", self.base)),
        }
    }

    /// The address of a Jira issue on the same site.
    pub fn issue(&self, key: &str) -> String {
        format!("{}/browse/{}", self.host(), encode(key))
    }

    /// The address of a Jira search on the same site.
    pub fn issues(&self, jql: &str) -> String {
        format!("{}/issues/?jql={}", self.host(), encode(jql))
    }

    fn host(&self) -> &'a str {
        let after_scheme = self.base.find("://").map_or(0, |found| found + 3);
        let end = self.base[after_scheme..].find('/').map_or(self.base.len(), |found| after_scheme + found);
        &self.base[..end]
    }

    fn space_or<'b>(&'b self, key: &'b str) -> &'b str {
        if key.is_empty() { self.space } else { key }
    }

    fn this_page(&self) -> String {
        if self.page_id.is_empty() { self.display(self.space, self.title) } else { self.by_id(self.page_id) }
    }

    fn by_id(&self, id: &str) -> String {
        [self.base, "/pages/viewpage.action?pageId=", &encode(id)].concat()
    }

    fn display(&self, space: &str, title: &str) -> String {
        let (space, title) = (encode(self.space_or(space)), encode_title(title));
        [self.base, "/display/", &space, "/", &title].concat()
    }

    fn post(&self, space: &str, title: &str, day: &str) -> String {
        let day = day.replace('-', "/");
        let key = encode(self.space_or(space));
        if day.is_empty() {
            return self.display(space, title);
        }
        format!("{}/display/{key}/{day}/{}", self.base, encode_title(title))
    }

    fn attachment(&self, file: &str, holder: Option<&Target>) -> Option<String> {
        let id = match holder {
            None => self.page_id,
            Some(Target::Content(id)) => id,
            other => return self.url(other, ""),
        };
        if id.is_empty() || file.is_empty() {
            return None;
        }
        Some(format!("{}/download/attachments/{}/{}", self.base, encode(id), encode(file)))
    }
}

/// Percent-encoding of all that is not unreserved; letters beyond ASCII stay readable.
fn encode(text: &str) -> Cow<'_, str> {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '@');
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@');
    if text.bytes().all(simple) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    let mut buffer = [0; 4];
    for c in text.chars().filter(|c| !c.is_control()) {
        if kept(c) {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut buffer).bytes() {
                encoded.push('%');
                encoded.extend(
                    [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
                );
            }
        }
    }
    Cow::Owned(encoded)
}

/// Display links write the spaces of a title as `+`.
fn encode_title(title: &str) -> String {
    encode(title.trim()).replace("%20", "+")
}
