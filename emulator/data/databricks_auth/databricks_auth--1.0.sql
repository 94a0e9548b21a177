-- Makes a role for a Databricks identity that logs in by token. Grants are separate, as on Lakebase.
CREATE FUNCTION databricks_create_role(identity_name text, identity_type text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF identity_name IS NULL OR identity_name = '' THEN
        RAISE EXCEPTION 'identity name must not be empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF upper(identity_type) NOT IN ('USER', 'SERVICE_PRINCIPAL', 'GROUP') OR identity_type IS NULL THEN
        RAISE EXCEPTION 'invalid identity type "%"', identity_type
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use USER, SERVICE_PRINCIPAL or GROUP.';
    END IF;
    EXECUTE format('CREATE ROLE %I LOGIN PASSWORD NULL', identity_name);
    EXECUTE format('COMMENT ON ROLE %I IS %L', identity_name, 'databricks_auth: ' || upper(identity_type));
    RETURN identity_name;
END
$$;
REVOKE ALL ON FUNCTION databricks_create_role(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION databricks_create_role(text, text) TO databricks_superuser;
