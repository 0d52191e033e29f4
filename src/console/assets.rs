//! Stylesheet, scripts and icons: part of the program, and the same for everybody.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

use super::failure::Failure;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/console/static");

/// Browsers ask again after an hour, and are then told whether it is still the same.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// `GET /static/{file}`
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let file = FILES.get_file(&name).ok_or(Failure::NotFound)?;
    let kind = match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => return Err(Failure::NotFound),
    };
    let tag = concat!("\"", env!("CARGO_PKG_VERSION"), "\"");
    let fixed = [(header::CONTENT_TYPE, kind), (header::ETAG, tag)];
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag);
    let mut response = if known && cfg!(not(debug_assertions)) {
        (StatusCode::NOT_MODIFIED, fixed).into_response()
    } else {
        (fixed, file.contents()).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE);
    Ok(response)
}
