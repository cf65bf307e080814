//! The vendors' calls of a first sync with nothing around them: no database, no conversion, no decisions. No sync of the
//! same pages can be faster on the same machine.

use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tidegate::{
    confluence::{Client, PageQuery, Status},
    connections::Access,
    knowledge_bases,
};

use crate::{first, process, service::Service, table::Row};

/// Uploads the bodies of all pages as they are.
pub async fn measure(service: &Service, pages: usize) -> anyhow::Result<Vec<Row>> {
    let app = &service.app;
    let connection = service.source.connection_id.context("no connection")?;
    let confluence = Access::open(app, connection, &service.source.cloud_id).await?.client().await?;
    let openai = knowledge_bases::client_with(app, service.wiki.at.openai_key.as_str().into());
    let (began, cpu) = (Instant::now(), process::cpu("self")?);
    let ids = ids(&confluence, &service.wiki.at.space).await?;
    let bodies = stream::iter(ids.chunks(50))
        .map(|some| confluence.pages_by_id(some, &[Status::Current], true))
        .buffered(2)
        .map_err(anyhow::Error::from);
    let texts = bodies
        .map_ok(|pages| stream::iter(pages.into_iter().map(Ok::<_, anyhow::Error>)))
        .try_flatten()
        .map_ok(|mut page| (format!("{}.md", page.id), page.take_storage().unwrap_or_default()));
    let uploads = texts.map_ok(|(name, text)| {
        let openai = openai.clone();
        async move { openai.upload_file(&name, Bytes::from(text)).await.map_err(anyhow::Error::from) }
    });
    let uploads = uploads.try_buffer_unordered(first::IN_FLIGHT as usize);
    let uploaded = uploads.try_fold(0_usize, |count, _| std::future::ready(Ok(count + 1))).await?;
    let (time, cpu) = (began.elapsed(), process::cpu("self")? - cpu);
    let rate = uploaded as f64 / time.as_secs_f64();
    Ok(vec![Row::new(
        format!("the bare calls of a first sync of {pages} pages"),
        format!("{rate:.0} pages/s, CPU {}", first::seconds(cpu)),
    )])
}

async fn ids(confluence: &Client, space: &str) -> anyhow::Result<Vec<String>> {
    let query = PageQuery {
        space_ids: vec![space.to_owned()],
        statuses: vec![Status::Current],
        ..PageQuery::default()
    };
    let mut walk = confluence.walk_pages(&query);
    Ok(walk.rest().await?.into_iter().map(|page| page.id).collect())
}
