//! Connections told from outside: over HTTP, with the simulator in Atlassian's place.

mod api_token;
mod browse;
mod confirm;
mod flow;
mod refresh;
mod town;
