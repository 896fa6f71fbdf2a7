-- Run once as a superuser, before `puntual migrate`; may be run again. Passwords are given apart (docker-compose.yml).
do $$
begin
    if not exists (select from pg_roles where rolname = 'puntual_owner') then
        create role puntual_owner login nosuperuser nocreatedb nocreaterole;
    end if;
    if not exists (select from pg_roles where rolname = 'puntual_api') then
        create role puntual_api login nosuperuser nocreatedb nocreaterole nobypassrls;
    end if;
    if not exists (select from pg_roles where rolname = 'puntual_worker') then
        create role puntual_worker login nosuperuser nocreatedb nocreaterole bypassrls;
    end if;
end $$;
-- The owner may hand the doors' functions to the worker's role, and has none of its rights otherwise.
grant puntual_worker to puntual_owner with inherit false, set true;
