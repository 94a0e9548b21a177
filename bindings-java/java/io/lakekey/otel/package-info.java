/** lakekey's counts for OpenTelemetry. Needs {@code io.opentelemetry:opentelemetry-api}, which the program brings. */
package io.lakekey.otel;
