create table "note" (
    "id" integer not null,
    "body" text not null,

    constraint "note_pkey" primary key ("id")
);
