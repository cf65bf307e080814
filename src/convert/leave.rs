//! What the closing of each element does.

use std::borrow::Cow;

use super::element::Element;
use super::frame::{Frame, Image, Link, Role};
use super::reader::Reader;
use super::target::Target;
use super::writer::Mode;

impl<'a> Reader<'a> {
    pub fn leave(&mut self, frame: Frame<'a>) {
        self.sink = frame.outer;
        match frame.role {
            Role::Plain | Role::Task { .. } => {}
            Role::Block | Role::List(_) => self.writer.block(),
            Role::Mark => {
                self.writer.close_mark();
                if frame.element == Element::Term {
                    self.writer.block();
                }
            }
            Role::Code => self.writer.close_code(),
            Role::Link(link) => self.close_link(&link),
            Role::Heading => self.close_heading(),
            Role::Container => {
                self.writer.block();
                self.writer.close_container();
            }
            Role::Image(image) => {
                if let Some(image) = image {
                    self.draw(&image);
                }
            }
            Role::Table => self.close_table(),
            Role::TableHead => {
                if let Some(table) = self.tables.last_mut() {
                    table.end_head();
                }
            }
            Role::Cell => {
                if let Some(table) = self.tables.last_mut() {
                    table.end_cell(&mut self.writer);
                }
            }
            Role::Body { inline } => {
                if !inline {
                    self.writer.block();
                }
            }
            Role::Macro(open) => self.finish_macro(&open),
            role => self.leave_collected(role),
        }
    }

    /// Elements whose text was collected.
    fn leave_collected(&mut self, role: Role<'a>) {
        match role {
            Role::Preformatted => {
                let code = std::mem::take(&mut self.verbatim);
                self.writer.fence("", &code);
                self.verbatim = code;
            }
            Role::Formula { block } => {
                let source = if self.value.trim().is_empty() { &self.verbatim } else { &self.value };
                self.writer.formula(source, block);
            }
            Role::PlainBody => {
                let code = std::mem::take(&mut self.verbatim);
                match self.current_macro() {
                    Some(open) => open.plain = Some(code),
                    None => self.writer.fence("", &code),
                }
            }
            Role::Parameter(name) => self.keep_value(name),
            Role::TaskStatus => {
                let complete = self.value.trim() == "complete";
                let task = self.frames.iter_mut().rev().find_map(|frame| match &mut frame.role {
                    Role::Task { done } => Some(done),
                    _ => None,
                });
                if let Some(done) = task {
                    *done = complete;
                }
            }
            Role::AdfNode(node) if node.items > 0 => self.writer.block(),
            _ => {}
        }
    }

    /// Gives a value to the macro or ADF node it belongs to.
    fn keep_value(&mut self, name: Cow<'a, str>) {
        let value = std::mem::take(&mut self.value);
        let target = self.value_target.take();
        for frame in self.frames.iter_mut().rev() {
            match &mut frame.role {
                Role::Macro(open) => {
                    open.target = target.or(open.target.take());
                    return open.set(name, value);
                }
                Role::AdfNode(node) => return node.values.push((name, value)),
                _ => {}
            }
        }
    }

    fn close_heading(&mut self) {
        if self.writer.mode == Mode::Cell {
            self.writer.close_mark();
            self.writer.block();
        } else {
            self.writer.close_heading();
        }
    }

    /// Aims the link whose words begin at this page, if it names nothing else.
    pub fn aim_at_this_page(&mut self) {
        if let Some(Role::Link(link)) = self.frames.last().map(|frame| &frame.role)
            && link.names_nothing()
        {
            self.writer.aim_link(self.site.url(None, &link.anchor));
        }
    }

    fn close_link(&mut self, link: &Link) {
        if link.names_nothing() {
            self.writer.aim_link(self.site.url(None, &link.anchor));
        }
        let label = match &link.target {
            Some(target) if !target.label().is_empty() => target.label(),
            _ if !link.anchor.is_empty() => &link.anchor,
            Some(Target::Content(_)) => "page",
            _ => "",
        };
        let leads_nowhere = matches!(link.target, Some(Target::User | Target::Shortcut(_)));
        self.report.unresolved_links += u32::from(leads_nowhere);
        self.writer.close_link(label);
    }

    fn close_table(&mut self) {
        let Some(mut table) = self.tables.pop() else { return };
        table.end_cell(&mut self.writer);
        let outer = std::mem::replace(&mut table.outer, super::writer::Writer::new(Mode::Cell));
        let cells = std::mem::replace(&mut self.writer, outer);
        self.writer.erased |= cells.erased;
        table.write(&cells.out, &mut self.writer, &mut self.repetitions);
    }

    /// Writes the image whose caption begins.
    pub fn write_image(&mut self) {
        let image = self.frames.iter_mut().rev().find_map(|frame| match &mut frame.role {
            Role::Image(image) => image.take(),
            _ => None,
        });
        if let Some(image) = image {
            self.draw(&image);
        }
    }

    fn draw(&mut self, image: &Image) {
        let url = image.target.as_ref().and_then(|target| self.site.url(Some(target), ""));
        let elsewhere = |holder: &Target| matches!(holder, Target::Page { .. } | Target::Post { .. });
        if let Some(Target::Attachment { holder: Some(holder), .. }) = &image.target
            && elsewhere(holder)
        {
            return self.named_link(url, image.name());
        }
        let Some(href) = self.site.absolute(&image.href) else {
            return self.writer.image(image.name(), url.as_deref());
        };
        self.writer.open_link(Some(href));
        self.writer.image(image.name(), url.as_deref());
        self.writer.close_link("");
    }
}

impl Image {
    /// Its alternative text, or its file name.
    fn name(&self) -> &str {
        match &self.target {
            _ if !self.alt.trim().is_empty() => &self.alt,
            Some(Target::Attachment { file, .. }) => file,
            Some(Target::Url(url)) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                path.rsplit('/').next().unwrap_or_default()
            }
            _ => "",
        }
    }
}
