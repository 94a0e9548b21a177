/** Lakebase for reactive programs on R2DBC. */
package io.lakekey.r2dbc;
