CREATE TABLE note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text varchar(1000) NOT NULL CHECK (text <> ''),
    done boolean NOT NULL DEFAULT false
);
