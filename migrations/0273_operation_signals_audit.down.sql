drop trigger if exists operation_signals_audit on operation_signals;
